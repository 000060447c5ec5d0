use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    task::Poll,
    time::Duration,
};

use tokio_test::task;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_failover::{BoxError, FallbackLayer, Outcome, event::Event, fallback::Value};
use tower_test::{assert_request_eq, mock};

use crate::support::{Answer, Backend, Diary, Scripted};

async fn down(_: &'static str) -> Answer {
    Err("down".into())
}

#[tokio::test]
async fn a_strategy_that_panics_reaches_the_caller_and_leaves_the_service_sound() {
    let mut panics = 0;
    for step in ["plans", "recovers", "learns"] {
        let diary = Diary::default();
        let broken = Scripted { panics_in: step, ..Scripted::answering("mine", &diary) };
        let layer = FallbackLayer::new(broken);
        let (mut service, mut backend): (_, Backend) = mock::spawn_layer(layer);
        backend.allow(1);
        assert!(service.poll_ready::<&str>().is_ready());
        let call = catch_unwind(AssertUnwindSafe(|| {
            let mut call = task::spawn(service.call("request"));
            let (_, respond) = match backend.poll_request() {
                Poll::Ready(Some(request)) => request,
                Poll::Ready(None) | Poll::Pending => panic!("not called"),
            };
            match step {
                "learns" => respond.send_response("response"),
                _ => respond.send_error("down"),
            }
            call.poll()
        }));
        panics += u32::from(call.is_err());

        backend.allow(1);
        assert!(service.poll_ready::<&str>().is_ready());
        let call = service.call("next");
        assert_request_eq!(backend, "next").send_error("down");
        assert_eq!(call.await.unwrap(), "mine", "after a panic in {step}");
    }
    assert_eq!(panics, 3);
}

#[tokio::test]
async fn a_panic_while_planning_does_not_use_up_the_inner_service() {
    let diary = Diary::default();
    let broken = Scripted { panics_in: "plans", ..Scripted::answering("mine", &diary) };
    let (mut service, mut backend): (_, Backend) =
        mock::spawn_layer(FallbackLayer::new(broken).inner_within(Duration::from_secs(1)));
    backend.allow(1);
    assert!(service.poll_ready::<&str>().is_ready());
    assert!(catch_unwind(AssertUnwindSafe(|| service.call("request"))).is_err());
    assert!(backend.poll_request().is_pending(), "called all the same");
    assert!(service.poll_ready::<&str>().is_ready());
    let call = service.call("next");
    assert_request_eq!(backend, "next").send_response("response");
    assert_eq!(call.await.unwrap(), "response");
}

#[tokio::test]
async fn a_classifier_that_panics_reaches_the_caller() {
    let layer = FallbackLayer::new(Value::with(|| "value"))
        .classify(|_: &Answer| -> Outcome { panic!("as told") });
    let mut service = layer.layer(service_fn(down));
    for _ in 0..2 {
        let mut call = task::spawn(service.ready().await.unwrap().call("request"));
        assert!(catch_unwind(AssertUnwindSafe(|| call.poll())).is_err());
    }
}

#[tokio::test]
async fn an_observer_that_panics_harms_nothing() {
    let diary = Diary::default();
    let layer = FallbackLayer::new(Value::with(|| "value"))
        .observe(|_: &Event<'_>| panic!("as told"))
        .observe(diary.observer());
    let service = layer.layer(service_fn(down));
    assert_eq!(service.oneshot("request").await.unwrap(), "value");
    assert_eq!(diary.read().len(), 1);
}

#[tokio::test]
async fn a_panic_of_the_inner_service_reaches_the_caller() {
    let panics = service_fn(async |fail: bool| {
        assert!(!fail, "as told");
        Ok::<_, BoxError>("fine")
    });
    let mut service = FallbackLayer::new(Value::with(|| "value")).layer(panics);
    let mut call = task::spawn(service.call(true));
    assert!(catch_unwind(AssertUnwindSafe(|| call.poll())).is_err());
    assert_eq!(service.ready().await.unwrap().call(false).await.unwrap(), "fine");
}
