use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt, retry::budget::Budget, service_fn};
use tower_failover::{
    Backoff, BoxError, Classify, FallbackLayer, Outcome,
    fallback::{Retries, Source, Value},
};

use crate::support::Answer;

const SECOND: Duration = Duration::from_secs(1);

/// Fails so many times, then answers; counts its calls.
fn failing(
    times: u32,
) -> (impl Service<&'static str, Response = &'static str, Error = BoxError> + Clone, Arc<AtomicU32>)
{
    let calls = Arc::new(AtomicU32::new(0));
    let counted = calls.clone();
    let service = service_fn(move |_: &'static str| {
        let call = counted.fetch_add(1, Ordering::Relaxed);
        let answer: Answer = if call < times { Err("down".into()) } else { Ok("primary") };
        std::future::ready(answer)
    });
    (service, calls)
}

#[tokio::test(start_paused = true)]
async fn a_fallback_after_retries_answers_when_the_last_one_failed() {
    let (primary, calls) = failing(u32::MAX);
    let retries = Retries::up_to(3).backoff(Backoff::growing(SECOND, 60 * SECOND));
    let layer = FallbackLayer::new(Value::with(|| "value")).after_retries(retries).served();
    let start = Instant::now();
    let served = layer.layer(primary).oneshot("request").await.unwrap();
    assert_eq!(served.source(), Source::Value);
    assert_eq!(calls.load(Ordering::Relaxed), 4);
    assert_eq!(start.elapsed().as_secs(), 1 + 2 + 4);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_succeeds_spares_the_fallback() {
    let (primary, calls) = failing(2);
    let layer = FallbackLayer::new(Value::with(|| "value")).after_retries(Retries::up_to(2));
    assert_eq!(layer.layer(primary).oneshot("request").await.unwrap(), "primary");
    assert_eq!(calls.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn every_request_has_retries_of_its_own() {
    let (primary, calls) = failing(u32::MAX);
    let layer = FallbackLayer::new(Value::with(|| "value")).after_retries(Retries::up_to(1));
    let mut service = layer.layer(primary);
    for _ in 0..3 {
        service.ready().await.unwrap().call("request").await.unwrap();
    }
    assert_eq!(calls.load(Ordering::Relaxed), 6);
}

#[tokio::test(start_paused = true)]
async fn no_retries_means_one_call() {
    let (primary, calls) = failing(u32::MAX);
    let layer = FallbackLayer::new(Value::with(|| "value")).after_retries(Retries::up_to(0));
    assert_eq!(layer.layer(primary).oneshot("request").await.unwrap(), "value");
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn only_what_the_classifier_calls_a_failure_is_tried_again() {
    let (primary, calls) = failing(u32::MAX);
    let retries = Retries::up_to(3).classify(|_: &Answer| Outcome::Ignored);
    let layer = FallbackLayer::new(Value::with(|| "value")).after_retries(retries);
    assert_eq!(layer.layer(primary).oneshot("request").await.unwrap(), "value");
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn an_inner_budget_set_before_the_retries_holds_for_all_of_them() {
    let (primary, calls) = failing(u32::MAX);
    let retries = Retries::up_to(100).backoff(Backoff::fixed(SECOND));
    let layer = FallbackLayer::new(Value::with(|| "value"))
        .inner_within(SECOND * 5 / 2)
        .after_retries(retries);
    let start = Instant::now();
    assert_eq!(layer.layer(primary).oneshot("request").await.unwrap(), "value");
    assert_eq!(start.elapsed().as_millis(), 2500);
    assert_eq!(calls.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn an_inner_budget_set_after_the_retries_holds_for_each_of_them() {
    let hang = service_fn(async |_: &'static str| std::future::pending::<Answer>().await);
    let retries = Retries::up_to(2).backoff(Backoff::fixed(SECOND));
    let layer = FallbackLayer::new(Value::with(|| "value"))
        .after_retries(retries)
        .inner_within(10 * SECOND);
    let start = Instant::now();
    assert_eq!(layer.layer(hang).oneshot("request").await.unwrap(), "value");
    assert_eq!(start.elapsed().as_secs(), 10 + 1 + 10 + 1 + 10);
}

#[derive(Default)]
struct Purse {
    deposits: AtomicU32,
    coins: AtomicU32,
}

impl Budget for Purse {
    fn deposit(&self) {
        self.deposits.fetch_add(1, Ordering::Relaxed);
    }

    fn withdraw(&self) -> bool {
        self.coins.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok()
    }
}

#[tokio::test(start_paused = true)]
async fn retries_stop_when_their_budget_is_empty() {
    let purse = Arc::new(Purse { coins: 2.into(), ..Purse::default() });
    let (primary, calls) = failing(u32::MAX);
    let retries = Retries::up_to(10).budget(purse.clone());
    let layer = FallbackLayer::new(Value::with(|| "value")).after_retries(retries);
    assert_eq!(layer.clone().layer(primary).oneshot("request").await.unwrap(), "value");
    assert_eq!(calls.load(Ordering::Relaxed), 3);
    let (healthy, _) = failing(0);
    layer.layer(healthy).oneshot("request").await.unwrap();
    assert_eq!(purse.deposits.load(Ordering::Relaxed), 1);
}

#[derive(Clone)]
struct ComeBackIn(Duration);

impl Classify<&'static str, BoxError> for ComeBackIn {
    fn classify(&self, result: &Answer) -> Outcome {
        if result.is_ok() { Outcome::Success } else { Outcome::Failure }
    }

    fn retry_after(&self, _: &Answer) -> Option<Duration> {
        Some(self.0)
    }
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_asks_to_be_left_alone_is() {
    let backoff = Backoff::growing(SECOND, 10 * SECOND);
    let run = async |asked| {
        let (primary, calls) = failing(u32::MAX);
        let retries = Retries::up_to(1).backoff(backoff).classify(ComeBackIn(asked));
        let layer = FallbackLayer::new(Value::with(|| "value")).after_retries(retries);
        let start = Instant::now();
        assert_eq!(layer.layer(primary).oneshot("request").await.unwrap(), "value");
        (calls.load(Ordering::Relaxed), start.elapsed().as_secs())
    };
    assert_eq!(run(7 * SECOND).await, (2, 7));
    assert_eq!(run(11 * SECOND).await, (1, 0), "waited longer than it may");
}
