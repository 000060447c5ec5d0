use std::{future::pending, task::Poll, time::Duration};

use tokio::time::{Instant, advance};
use tokio_test::task;
use tower::{Layer, Service, ServiceExt, limit::ConcurrencyLimit, service_fn};
use tower_failover::{
    FallbackLayer,
    fallback::{BudgetLayer, Elapsed, Source, Value},
};
use tower_test::{assert_request_eq, mock};

use crate::support::{Answer, Backend, Diary, Inner, Scripted};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn the_fallback_is_ready_and_answers_while_the_inner_service_is_not_ready() {
    let layer = FallbackLayer::new(Value::with(|| "value")).inner_within(SECOND).served();
    let (mut service, mut backend): (_, Backend) = mock::spawn_layer(layer);
    backend.allow(0);
    assert!(matches!(service.poll_ready::<&str>(), Poll::Ready(Ok(()))));
    let start = Instant::now();
    let served = service.call("request").await.unwrap();
    assert_eq!((*served.value(), served.source()), ("value", Source::Value));
    assert_eq!(start.elapsed().as_secs(), 1);
    assert!(backend.poll_request().is_pending(), "the inner service was called");
}

#[tokio::test(start_paused = true)]
async fn the_fallback_answers_when_the_inner_service_hangs_past_its_budget() {
    let layer = FallbackLayer::new(Value::with(|| "value")).inner_within(SECOND);
    let (mut service, mut backend): (_, Backend) = mock::spawn_layer(layer);
    backend.allow(1);
    assert!(service.poll_ready::<&str>().is_ready());
    let start = Instant::now();
    let call = service.call("request");
    let (_, _hanging) = backend.next_request().await.unwrap();
    assert_eq!(call.await.unwrap(), "value");
    assert!(start.elapsed() <= SECOND + Duration::from_millis(1));
}

#[tokio::test(start_paused = true)]
async fn one_budget_holds_for_getting_ready_and_answering_together() {
    let layer = FallbackLayer::new(Value::with(|| "value")).inner_within(SECOND);
    let (mut service, mut backend): (_, Backend) = mock::spawn_layer(layer);
    backend.allow(0);
    assert!(service.poll_ready::<&str>().is_ready());
    let mut call = task::spawn(service.call("request"));
    assert!(call.poll().is_pending());
    advance(SECOND * 6 / 10).await;
    backend.allow(1);
    assert!(call.is_woken(), "not woken by readiness");
    assert!(call.poll().is_pending());
    let (_, _hanging) = backend.next_request().await.unwrap();
    advance(SECOND * 3 / 10).await;
    assert!(call.poll().is_pending());
    advance(SECOND * 2 / 10).await;
    assert!(matches!(call.poll(), Poll::Ready(Ok("value"))));
}

#[tokio::test(start_paused = true)]
async fn an_inner_service_that_gets_ready_in_time_is_called() {
    let layer = FallbackLayer::new(Value::with(|| "value")).inner_within(SECOND);
    let (mut service, mut backend): (_, Backend) = mock::spawn_layer(layer);
    backend.allow(0);
    assert!(service.poll_ready::<&str>().is_ready());
    let mut call = task::spawn(service.call("request"));
    assert!(call.poll().is_pending());
    advance(SECOND / 2).await;
    backend.allow(1);
    assert!(call.poll().is_pending());
    assert_request_eq!(backend, "request").send_response("response");
    assert_eq!(call.await.unwrap(), "response");
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_in_the_place_that_its_poll_ready_took_in_the_queue() {
    let hold = service_fn(async |release: bool| match release {
        true => Ok::<_, tower_failover::BoxError>("primary"),
        false => pending().await,
    });
    let limited = ConcurrencyLimit::new(hold, 1);
    let mut occupied = limited.clone();
    let holder = occupied.ready().await.unwrap().call(false);

    let layer = FallbackLayer::new(Value::with(|| "value")).inner_within(SECOND);
    let mut first = mock::Spawn::new(layer.layer(limited.clone()));
    assert!(first.poll_ready::<bool>().is_ready(), "queued first");
    let mut late = task::spawn(limited.clone().oneshot(true));
    assert!(late.poll().is_pending(), "queued second");

    let mut call = task::spawn(first.call(true));
    drop(holder);
    assert!(late.poll().is_pending(), "the place in the queue was lost");
    assert!(matches!(call.poll(), Poll::Ready(Ok("primary"))));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_given_up_leaves_its_place_in_the_queue() {
    let hold = service_fn(async |_: ()| pending::<Answer>().await);
    let limited = ConcurrencyLimit::new(hold, 1);
    let layer = FallbackLayer::new(Value::with(|| "value")).inner_within(SECOND);
    let service = layer.layer(limited.clone());
    for _ in 0..3 {
        assert_eq!(service.clone().oneshot(()).await.unwrap(), "value");
    }
    assert!(mock::Spawn::new(limited).poll_ready::<()>().is_ready(), "the permit was kept");
}

#[tokio::test(start_paused = true)]
async fn the_inner_call_is_dropped_before_a_strategy_starts() {
    let diary = Diary::default();
    let noted = diary.clone();
    let hold = service_fn(move |_: &'static str| {
        let guard = Noted(noted.clone());
        async move {
            let _guard = guard;
            pending::<Answer>().await
        }
    });
    let layer = FallbackLayer::new(Scripted::answering("mine", &diary)).inner_within(SECOND);
    assert_eq!(layer.layer(hold).oneshot("request").await.unwrap(), "mine");
    assert_eq!(diary.read(), ["mine plans", "dropped", "mine recovers"]);
}

struct Noted(Diary);

impl Drop for Noted {
    fn drop(&mut self) {
        self.0.note("dropped");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hang_that_nobody_answers_ends_in_elapsed() {
    let diary = Diary::default();
    let hang = service_fn(async |_: &'static str| pending::<Answer>().await);
    let layer = FallbackLayer::new(Scripted::failing("mine", &diary)).inner_within(SECOND);
    let error = layer.layer(hang).oneshot("request").await.unwrap_err();
    assert_eq!(error.downcast_ref::<Elapsed>().map(Elapsed::after), Some(SECOND));
    assert_eq!(error.to_string(), "no answer of the service within 1s");
}

#[tokio::test(start_paused = true)]
async fn a_readiness_error_under_a_budget_triggers_at_once() {
    let layer = FallbackLayer::new(Value::with(|| "value")).inner_within(SECOND);
    let (mut service, mut backend): (_, Backend) = mock::spawn_layer(layer);
    backend.send_error("connection lost");
    assert!(matches!(service.poll_ready::<&str>(), Poll::Ready(Ok(()))));
    assert!(matches!(task::spawn(service.call("a")).poll(), Poll::Ready(Ok("value"))));

    backend.allow(0);
    assert!(service.poll_ready::<&str>().is_ready());
    let mut call = task::spawn(service.call("b"));
    assert!(call.poll().is_pending());
    backend.send_error("lost while waiting");
    assert!(matches!(call.poll(), Poll::Ready(Ok("value"))));
}

#[test]
fn an_answer_that_is_there_at_once_needs_no_timer_and_no_runtime() {
    let quick = service_fn(async |_: &'static str| Answer::Ok("quick"));
    let layer = FallbackLayer::new(Value::with(|| "value")).inner_within(SECOND);
    let answer = task::spawn(layer.layer(quick).oneshot("request")).poll();
    assert!(matches!(answer, Poll::Ready(Ok("quick"))));
}

#[tokio::test(start_paused = true)]
async fn a_clone_of_a_budget_carries_no_readiness_over() {
    let (inner, mut backend): (Inner, Backend) = mock::pair();
    let mut service = mock::Spawn::new(BudgetLayer::new(SECOND).layer(inner));
    backend.allow(1);
    assert!(service.poll_ready::<&str>().is_ready());
    let mut clone = service.clone();
    backend.allow(0);
    let mut call = task::spawn(clone.call("never polled ready"));
    assert!(call.poll().is_pending());
    assert!(backend.poll_request().is_pending(), "called without being ready");
    let ready = task::spawn(service.call("ready"));
    assert_request_eq!(backend, "ready").send_response("response");
    assert_eq!(ready.await.unwrap(), "response");
}

#[tokio::test(start_paused = true)]
async fn a_call_spends_the_readiness_of_a_budget() {
    let (inner, mut backend): (Inner, Backend) = mock::pair();
    let mut service = mock::Spawn::new(BudgetLayer::new(SECOND).layer(inner));
    assert!(service.poll_ready::<&str>().is_ready());
    let first = task::spawn(service.call("first"));
    assert_request_eq!(backend, "first").send_response("response");
    assert_eq!(first.await.unwrap(), "response");
    backend.allow(0);
    let error = service.call("never polled ready").await.unwrap_err();
    assert!(error.is::<Elapsed>());
}
