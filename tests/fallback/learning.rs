use std::task::Poll;

use tokio_test::task;
use tower::{Layer, ServiceExt, service_fn};
use tower_failover::{
    FallbackLayer, Outcome,
    fallback::{Or, Source},
};
use tower_test::mock;

use crate::support::{Answer, Backend, Diary, Scripted};

async fn up(_: &'static str) -> Answer {
    Ok("response")
}

async fn down(_: &'static str) -> Answer {
    Err("down".into())
}

#[tokio::test]
async fn a_plan_learns_exactly_once_when_the_primary_succeeds() {
    let diary = Diary::default();
    let service = FallbackLayer::new(Scripted::answering("mine", &diary)).layer(service_fn(up));
    assert_eq!(service.oneshot("request").await.unwrap(), "response");
    assert_eq!(diary.read(), ["mine plans", "mine learns", "response"]);
}

#[tokio::test]
async fn a_plan_never_learns_what_a_strategy_answered() {
    let diary = Diary::default();
    let chain = Or::new(Scripted::failing("a", &diary), Scripted::answering("b", &diary));
    let service = FallbackLayer::new(chain).layer(service_fn(down));
    assert_eq!(service.oneshot("request").await.unwrap(), "b");
    assert_eq!(diary.read(), ["a plans", "b plans", "a recovers", "b recovers"]);
}

#[tokio::test]
async fn a_plan_never_learns_from_a_response_that_says_nothing() {
    let diary = Diary::default();
    let layer = FallbackLayer::new(Scripted::answering("mine", &diary));
    let service = layer.classify(|_: &Answer| Outcome::Ignored).layer(service_fn(up));
    assert_eq!(service.oneshot("request").await.unwrap(), "response");
    assert_eq!(diary.read(), ["mine plans"]);
}

#[tokio::test]
async fn every_strategy_of_a_chain_learns() {
    let diary = Diary::default();
    let chain = Or::new(Scripted::answering("a", &diary), Scripted::answering("b", &diary));
    let chain = chain.within(std::time::Duration::ZERO).named("both");
    let service = FallbackLayer::new(chain).layer(service_fn(up));
    assert_eq!(service.oneshot("request").await.unwrap(), "response");
    let all = ["a plans", "b plans", "a learns", "response", "b learns", "response"];
    assert_eq!(diary.read(), all);
}

#[tokio::test]
async fn a_strategy_that_knows_the_answer_spares_the_inner_service_the_call() {
    let diary = Diary::default();
    let knowing = Scripted { knows: Some("known"), ..Scripted::answering("cache", &diary) };
    let chain = Or::new(Scripted::answering("a", &diary), knowing);
    let layer = FallbackLayer::new(chain.within(std::time::Duration::ZERO).named("kept"));
    let (mut service, mut backend): (_, Backend) =
        mock::spawn_layer(layer.served().observe(diary.observer()));
    backend.allow(1);
    assert!(service.poll_ready::<&str>().is_ready());
    let Poll::Ready(Ok(served)) = task::spawn(service.call("request")).poll() else {
        panic!("no answer at once");
    };
    assert_eq!((*served.value(), served.strategy()), ("known", "kept"));
    assert_eq!(served.source(), Source::Custom("cache"));
    assert!(backend.poll_request().is_pending(), "the inner service was called");
    assert_eq!(diary.read(), ["a plans", "cache plans"]);
}
