use std::{future::pending, time::Duration};

use tokio::time::Instant;
use tower::{Layer, ServiceExt, service_fn};
use tower_failover::{
    BoxError, FallbackLayer,
    fallback::{Backup, Source, Value, from_async_fn},
};

use crate::support::{Answer, Diary, Scripted};

const SECOND: Duration = Duration::from_secs(1);

async fn down(_: &'static str) -> Answer {
    Err("down".into())
}

async fn hang(_: &'static str) -> Answer {
    pending().await
}

#[tokio::test]
async fn a_chain_asks_its_strategies_in_order_until_one_answers() {
    let diary = Diary::default();
    let chain = Scripted::failing("first", &diary);
    let chain = chain_of(chain, Scripted::answering("second", &diary));
    let chain = chain_of(chain, Scripted::answering("third", &diary));
    let service = FallbackLayer::new(chain).served().layer(service_fn(down));
    let served = service.oneshot("request").await.unwrap();
    assert_eq!((*served.value(), served.source()), ("second", Source::Custom("second")));
    let asked = ["first plans", "second plans", "third plans", "first recovers", "second recovers"];
    assert_eq!(diary.read(), asked);
}

fn chain_of<A, B>(first: A, second: B) -> tower_failover::fallback::Or<A, B> {
    tower_failover::fallback::Or::new(first, second)
}

#[tokio::test]
async fn a_chain_that_fails_gives_the_original_error_back_and_every_reason_to_the_observers() {
    let diary = Diary::default();
    let reasons = Diary::default();
    let chain = chain_of(Scripted::failing("first", &diary), Scripted::failing("second", &diary));
    let chain = chain.or(Scripted::failing("third", &diary));
    let layer = FallbackLayer::new(chain).observe(reasons.observer());
    let error = layer.layer(service_fn(down)).oneshot("request").await.unwrap_err();
    assert_eq!(error.to_string(), "down");
    let all = "fallback fallback failed: first: as told; second: as told; third: as told";
    assert_eq!(reasons.read(), [all]);
}

#[tokio::test(start_paused = true)]
async fn each_strategy_of_a_chain_has_a_budget_of_its_own() {
    let diary = Diary::default();
    let chain = Backup::new(service_fn(hang))
        .within(SECOND)
        .or(from_async_fn(|_: &Answer| pending::<Answer>()).within(2 * SECOND))
        .or(Backup::new(service_fn(hang)).named("far").within(3 * SECOND));
    let layer = FallbackLayer::new(chain).observe(diary.observer());
    let start = Instant::now();
    let error = layer.layer(service_fn(down)).oneshot("request").await.unwrap_err();
    assert_eq!(start.elapsed().as_secs(), 6);
    assert_eq!(error.to_string(), "down");
    let all = "fallback fallback failed: backup: no answer within 1s; \
               function: no answer within 2s; far: no answer within 3s";
    assert_eq!(diary.read(), [all]);
}

#[tokio::test(start_paused = true)]
async fn a_strategy_that_hangs_past_its_budget_hands_over() {
    let chain = Backup::new(service_fn(hang)).within(SECOND).or(Value::with(|| "value"));
    let start = Instant::now();
    let service = FallbackLayer::new(chain).layer(service_fn(down));
    assert_eq!(service.oneshot("request").await.unwrap(), "value");
    assert_eq!(start.elapsed().as_secs(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_budget_holds_for_a_whole_chain_too() {
    let chain = Backup::new(service_fn(hang)).within(SECOND).or(Backup::new(service_fn(hang)));
    let diary = Diary::default();
    let layer = FallbackLayer::new(chain.within(3 * SECOND)).observe(diary.observer());
    let start = Instant::now();
    layer.layer(service_fn(down)).oneshot("request").await.unwrap_err();
    assert_eq!(start.elapsed().as_secs(), 3);
    let all = "fallback fallback failed: backup: no answer within 1s; backup: no answer within 3s";
    assert_eq!(diary.read(), [all]);
}

#[test]
fn a_strategy_that_answers_at_once_needs_no_timer() {
    let value = Value::with(|| "value").within(SECOND);
    let service = FallbackLayer::new(value).layer(service_fn(down));
    let answer = tokio_test::task::spawn(service.oneshot("request")).poll();
    assert!(matches!(answer, std::task::Poll::Ready(Ok("value"))));
}

#[tokio::test(start_paused = true)]
async fn a_strategy_within_its_budget_is_not_cut_off() {
    let slow = service_fn(async |_: &'static str| {
        tokio::time::sleep(SECOND / 2).await;
        Ok::<_, BoxError>("slow")
    });
    let chain = Backup::new(slow).within(SECOND).or(Value::with(|| "value"));
    let service = FallbackLayer::new(chain).layer(service_fn(down));
    assert_eq!(service.oneshot("request").await.unwrap(), "slow");
}
