//! Calls that do not come to their end: dropped, cancelled, panicked.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::task::yield_now;
use tokio_test::task;
use tower::{Layer, Service, ServiceExt, limit::ConcurrencyLimit, service_fn};
use tower_failover::{
    BoxError, FallbackLayer, Outcome,
    event::Event,
    fallback::{Backup, Or, Value, from_async_fn},
};
use tower_test::{assert_request_eq, mock};

use crate::support::{Answer, Backend, Diary, Scripted};

async fn down(_: &'static str) -> Answer {
    Err("down".into())
}

/// Counts how many are alive.
struct Alive(Arc<AtomicU32>);

impl Alive {
    fn new(count: &Arc<AtomicU32>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count.clone())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn free<S>(limited: &S) -> bool
where
    S: Service<&'static str> + Clone,
{
    mock::Spawn::new(limited.clone()).poll_ready::<&str>().is_ready()
}

#[tokio::test]
async fn a_call_dropped_before_its_first_poll_asks_no_strategy() {
    let diary = Diary::default();
    let layer = FallbackLayer::new(Scripted::answering("mine", &diary));
    let (mut service, mut backend): (_, Backend) = mock::spawn_layer(layer);
    backend.send_error("connection lost");
    assert!(service.poll_ready::<&str>().is_ready());
    drop(service.call("dropped"));
    assert_eq!(diary.read(), ["mine plans"]);
    backend.allow(1);
    assert!(service.poll_ready::<&str>().is_ready());
    let call = service.call("next");
    assert_request_eq!(backend, "next").send_response("response");
    assert_eq!(call.await.unwrap(), "response");
}

#[tokio::test(start_paused = true)]
async fn a_call_cancelled_at_any_await_point_leaves_nothing_behind() {
    let alive = Arc::new(AtomicU32::new(0));
    let steps = |alive: &Arc<AtomicU32>, steps: u32, answer: fn() -> Answer| {
        let alive = alive.clone();
        service_fn(move |_: &'static str| {
            let guard = Alive::new(&alive);
            async move {
                let _guard = guard;
                for _ in 0..steps {
                    yield_now().await;
                }
                answer()
            }
        })
    };
    let primary = ConcurrencyLimit::new(steps(&alive, 3, || Err("down".into())), 1);
    let backup = ConcurrencyLimit::new(steps(&alive, 3, || Err("down too".into())), 1);
    let last = alive.clone();
    let last = from_async_fn(move |_: &Answer| {
        let guard = Alive::new(&last);
        async move {
            let _guard = guard;
            for _ in 0..3 {
                yield_now().await;
            }
            Ok("last")
        }
    });
    let chain = Backup::new(backup.clone()).within(Duration::from_secs(1)).or(last);
    let layer = FallbackLayer::new(chain).inner_within(Duration::from_secs(1));
    let service = layer.layer(primary.clone());

    let (mut cancelled, mut completed) = (0, 0);
    for polls in 0..20 {
        let mut call = task::spawn(service.clone().oneshot("request"));
        let ended = (0..polls).any(|_| call.poll().is_ready());
        drop(call);
        if ended {
            completed += 1
        } else {
            cancelled += 1
        }
        assert_eq!(alive.load(Ordering::Relaxed), 0, "after {polls} polls");
        for free in [free(&primary), free(&backup)] {
            assert!(free, "a permit is lost after {polls} polls");
        }
    }
    assert!(cancelled >= 9 && completed >= 9, "{cancelled} cancelled, {completed} completed");
    assert_eq!(service.oneshot("request").await.unwrap(), "last");
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
                std::task::Poll::Ready(Some(request)) => request,
                std::task::Poll::Ready(None) | std::task::Poll::Pending => panic!("not called"),
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
    let diary = Diary::default();
    let value = Or::new(Value::with(|| "a"), Value::with(|| "b"));
    let mut service = FallbackLayer::new(value).observe(diary.observer()).layer(panics);
    let mut call = task::spawn(service.call(true));
    assert!(catch_unwind(AssertUnwindSafe(|| call.poll())).is_err());
    assert_eq!(service.ready().await.unwrap().call(false).await.unwrap(), "fine");
}
