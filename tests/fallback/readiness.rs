use std::task::Poll;

use tower::{Layer, Service};
use tower_failover::{
    FallbackLayer, Outcome,
    fallback::{Source, Value},
};
use tower_test::{assert_request_eq, mock};

use crate::support::{Answer, Backend, Diary, Inner, Scripted};

#[tokio::test]
async fn a_readiness_error_triggers_and_the_inner_service_is_not_called() {
    let layer = FallbackLayer::new(Value::with(|| "value")).served();
    let (mut service, mut backend): (_, Backend) = mock::spawn_layer(layer);
    backend.send_error("connection lost");
    assert!(matches!(service.poll_ready::<&str>(), Poll::Ready(Ok(()))));
    let served = service.call("request").await.unwrap();
    assert_eq!((*served.value(), served.source()), ("value", Source::Value));
    assert!(backend.poll_request().is_pending(), "the inner service was called");
}

#[tokio::test]
async fn after_a_readiness_error_the_inner_service_is_asked_anew() {
    let layer = FallbackLayer::new(Value::with(|| "value"));
    let (mut service, mut backend): (_, Backend) = mock::spawn_layer(layer);
    backend.send_error("connection lost");
    assert!(service.poll_ready::<&str>().is_ready());
    assert_eq!(service.call("first").await.unwrap(), "value");
    backend.allow(0);
    assert!(service.poll_ready::<&str>().is_pending());
    backend.allow(1);
    assert!(service.poll_ready::<&str>().is_ready());
    let call = service.call("second");
    assert_request_eq!(backend, "second").send_response("response");
    assert_eq!(call.await.unwrap(), "response");
}

#[tokio::test]
async fn a_readiness_error_that_is_over_before_the_call_is_forgotten() {
    let layer = FallbackLayer::new(Value::with(|| "value"));
    let (mut service, mut backend): (_, Backend) = mock::spawn_layer(layer);
    backend.send_error("connection lost");
    assert!(service.poll_ready::<&str>().is_ready());
    backend.allow(1);
    assert!(service.poll_ready::<&str>().is_ready());
    let call = service.call("request");
    let Poll::Ready(Some((_, respond))) = backend.poll_request() else {
        panic!("the inner service was not called");
    };
    respond.send_response("response");
    assert_eq!(call.await.unwrap(), "response");
}

#[tokio::test]
async fn a_readiness_error_comes_back_when_every_strategy_fails() {
    let diary = Diary::default();
    let layer = FallbackLayer::new(Scripted::failing("mine", &diary)).observe(diary.observer());
    let (mut service, mut backend): (_, Backend) = mock::spawn_layer(layer);
    backend.send_error("connection lost");
    assert!(matches!(service.poll_ready::<&str>(), Poll::Ready(Ok(()))));
    let error = service.call("request").await.unwrap_err();
    assert_eq!(error.to_string(), "connection lost");
    let last = "fallback fallback failed: mine: as told";
    assert_eq!(diary.read(), ["mine plans", "mine recovers", last]);
}

#[tokio::test]
async fn a_readiness_error_is_classified_as_any_other() {
    let ignoring = |_: &Answer| Outcome::Ignored;
    let layer = FallbackLayer::new(Value::with(|| "value")).classify(ignoring);
    let (mut service, mut backend): (_, Backend) = mock::spawn_layer(layer);
    backend.send_error("connection lost");
    assert!(matches!(service.poll_ready::<&str>(), Poll::Ready(Ok(()))));
    let error = service.call("request").await.unwrap_err();
    assert_eq!(error.to_string(), "connection lost");
}

#[tokio::test]
async fn a_clone_carries_no_readiness_error_over() {
    let (inner, mut backend): (Inner, Backend) = mock::pair();
    let mut service = mock::Spawn::new(FallbackLayer::new(Value::with(|| "value")).layer(inner));
    backend.send_error("connection lost");
    assert!(service.poll_ready::<&str>().is_ready());
    let mut clone = service.clone();
    backend.allow(1);
    assert!(clone.poll_ready::<&str>().is_ready());
    let call = clone.call("request");
    assert_request_eq!(backend, "request").send_response("response");
    assert_eq!(call.await.unwrap(), "response");
    assert_eq!(service.call("request").await.unwrap(), "value");
}

#[tokio::test]
#[should_panic(expected = "service not ready")]
async fn a_clone_carries_no_readiness_over() {
    let (inner, mut backend): (Inner, Backend) = mock::pair();
    let mut service = mock::Spawn::new(FallbackLayer::new(Value::with(|| "value")).layer(inner));
    backend.allow(1);
    assert!(service.poll_ready::<&str>().is_ready());
    drop(service.clone().into_inner().call("request"));
}
