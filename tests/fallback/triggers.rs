use std::time::Duration;

use tower::{Layer, ServiceExt, service_fn};
use tower_failover::{
    BoxError, FallbackLayer, Outcome,
    fallback::{BudgetLayer, Elapsed, Value},
};

use crate::support::{Answer, Diary, Scripted};

async fn answer(request: &'static str) -> Answer {
    match request {
        "down" => Err("down".into()),
        "wrong type" => Err("wrong type".into()),
        response => Ok(response),
    }
}

/// A classifier with all three outcomes for both kinds of result.
fn verdict(result: &Answer) -> Outcome {
    match result {
        Ok("503") => Outcome::Failure,
        Ok("404") => Outcome::Ignored,
        Ok(_) => Outcome::Success,
        Err(error) if error.to_string() == "wrong type" => Outcome::Success,
        Err(error) if error.to_string() == "cancelled" => Outcome::Ignored,
        Err(_) => Outcome::Failure,
    }
}

#[tokio::test]
async fn a_callers_own_error_never_triggers() {
    let diary = Diary::default();
    let layer = FallbackLayer::new(Scripted::answering("mine", &diary)).classify(verdict);
    let service = layer.observe(diary.observer()).layer(service_fn(answer));
    let error = service.clone().oneshot("wrong type").await.unwrap_err();
    assert_eq!(error.to_string(), "wrong type");
    assert_eq!(service.oneshot("404").await.unwrap(), "404");
    assert_eq!(diary.read(), ["mine plans"; 2]);
}

#[tokio::test]
async fn an_ignored_error_never_triggers() {
    let cancelled = service_fn(async |_: &'static str| Answer::Err("cancelled".into()));
    let service = FallbackLayer::new(Value::with(|| "value")).classify(verdict).layer(cancelled);
    assert_eq!(service.oneshot("request").await.unwrap_err().to_string(), "cancelled");
}

#[tokio::test]
async fn a_response_that_the_classifier_calls_a_failure_triggers() {
    let layer = FallbackLayer::new(Value::with(|| "value")).classify(verdict);
    let service = layer.layer(service_fn(answer));
    assert_eq!(service.clone().oneshot("503").await.unwrap(), "value");
    assert_eq!(service.clone().oneshot("down").await.unwrap(), "value");
    assert_eq!(service.oneshot("200").await.unwrap(), "200");
}

#[tokio::test]
async fn a_response_that_is_a_failure_comes_back_when_every_strategy_fails() {
    let diary = Diary::default();
    let layer = FallbackLayer::new(Scripted::failing("mine", &diary)).classify(verdict);
    let served = layer.served().layer(service_fn(answer)).oneshot("503").await.unwrap();
    assert_eq!(*served.value(), "503");
    assert!(!served.is_fallback());
    assert_eq!(diary.read(), ["mine plans", "mine recovers"]);
}

#[tokio::test]
async fn only_when_open_leaves_every_other_error_to_the_caller() {
    let layer = FallbackLayer::new(Value::with(|| "value")).only_when_open();
    let service = layer.layer(service_fn(answer));
    assert_eq!(service.clone().oneshot("down").await.unwrap_err().to_string(), "down");
    assert_eq!(service.oneshot("fine").await.unwrap(), "fine");
}

#[tokio::test(start_paused = true)]
async fn a_spent_budget_triggers_whatever_the_classifier_and_the_mode_say() {
    let hang = service_fn(async |_: &'static str| std::future::pending::<Answer>().await);
    let budget = Duration::from_secs(1);
    let ignoring = |_: &Answer| Outcome::Ignored;
    let layer = FallbackLayer::new(Value::with(|| "value")).classify(ignoring).inner_within(budget);
    assert_eq!(layer.layer(hang).oneshot("request").await.unwrap(), "value");
    let layer = FallbackLayer::new(Value::with(|| "value")).only_when_open().inner_within(budget);
    assert_eq!(layer.layer(hang).oneshot("request").await.unwrap(), "value");
}

#[tokio::test(start_paused = true)]
async fn a_classifier_is_asked_about_all_but_a_spent_budget() {
    let layer = FallbackLayer::new(Value::with(|| "value")).classify(verdict);
    let service = layer.inner_within(Duration::from_secs(1)).layer(service_fn(answer));
    assert!(service.clone().oneshot("wrong type").await.is_err());
    assert_eq!(service.clone().oneshot("down").await.unwrap(), "value");
    assert_eq!(service.oneshot("404").await.unwrap(), "404");
}

#[tokio::test(start_paused = true)]
async fn a_layer_written_out_leaves_a_spent_budget_to_the_classifier() {
    let hang = service_fn(async |_: &'static str| std::future::pending::<Answer>().await);
    let inner = BudgetLayer::new(Duration::from_secs(1)).layer(hang);
    let layer = FallbackLayer::new(Value::with(|| "value")).only_when_open();
    let error: BoxError = layer.layer(inner).oneshot("request").await.unwrap_err();
    assert!(error.is::<Elapsed>());
}
