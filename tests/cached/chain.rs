use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::advance;
use tower::{Layer, ServiceExt};
use tower_failover::{
    FallbackLayer,
    event::Event,
    fallback::{
        Source, Value,
        cached::{Cached, Stale},
    },
};

use crate::support::{
    Origin, SECOND, Trouble, ask, by_name, cache, classify, fresh, stale, terms, told,
};

#[tokio::test(start_paused = true)]
async fn promise_4_a_chain_answers_from_the_cache_first_and_says_which_strategy_it_was() {
    let (origin, cache) = (Origin::saying(|| Ok("A")), cache());
    let chain = Cached::new(cache.clone(), by_name).terms(terms()).or(Value::with(|| "nobody"));
    let service = origin.behind(chain);
    assert_eq!(ask(&service, "a").await.unwrap().strategy(), "primary");
    assert_eq!(ask(&service, "a").await.unwrap().strategy(), "cache");
    origin.goes_down();
    advance(10 * SECOND).await;
    assert_eq!(ask(&service, "a").await.unwrap().strategy(), "stale");
    assert_eq!(told(&service, "b").await, ("nobody", Source::Value));
    advance(5 * SECOND).await;
    assert_eq!(told(&service, "a").await, ("nobody", Source::Value));
}

#[tokio::test(start_paused = true)]
async fn promise_4_a_cache_behind_another_strategy_learns_and_answers_without_a_call_too() {
    let (origin, cache) = (Origin::saying(|| Ok("A")), cache());
    let first = Stale::new(cache.clone(), |_: &&'static str| None::<&'static str>);
    let service = origin.behind(first.or(Cached::new(cache.clone(), by_name).terms(terms())));
    ask(&service, "a").await.unwrap();
    assert_eq!(told(&service, "a").await, ("A", fresh(Duration::ZERO)));
    assert_eq!(origin.calls(), 1);
    origin.goes_down();
    advance(12 * SECOND).await;
    assert_eq!(told(&service, "a").await, ("A", stale(12 * SECOND)));
}

#[tokio::test(start_paused = true)]
async fn promise_4_a_cache_within_a_budget_and_under_a_name_is_still_a_cache() {
    let (origin, cache) = (Origin::saying(|| Ok("A")), cache());
    let cached = Cached::new(cache.clone(), by_name).terms(terms());
    let service = origin.behind(cached.within(SECOND).named("names"));
    ask(&service, "a").await.unwrap();
    let served = ask(&service, "a").await.unwrap();
    assert_eq!((served.strategy(), served.source()), ("names", fresh(Duration::ZERO)));
    origin.goes_down();
    advance(11 * SECOND).await;
    let served = ask(&service, "a").await.unwrap();
    assert_eq!((served.strategy(), served.source()), ("names", stale(11 * SECOND)));
    assert_eq!(origin.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn promise_4_observers_hear_of_stale_answers_and_of_their_lack() {
    let origin = Origin::saying(|| Ok("A"));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let notes = heard.clone();
    let observe = move |event: &Event<'_>| {
        let mut notes = notes.lock().unwrap();
        if let Event::FallbackFailed { reasons, .. } = event {
            notes.extend(reasons.iter().map(ToString::to_string));
        } else {
            notes.push(event.to_string());
        }
    };
    let layer = FallbackLayer::new(Cached::new(cache(), by_name).terms(terms()).named("names"))
        .classify(classify)
        .observe(observe);
    let service = layer.layer(origin.clone());
    service.clone().oneshot("a").await.unwrap();
    service.clone().oneshot("a").await.unwrap();
    assert_eq!(heard.lock().unwrap().len(), 0, "a fresh answer is no event");
    origin.goes_down();
    advance(10 * SECOND).await;
    service.clone().oneshot("a").await.unwrap();
    assert_eq!(service.clone().oneshot("b").await.unwrap_err(), Trouble::Down);
    let heard = heard.lock().unwrap();
    assert_eq!(*heard, ["fallback fallback answered by names", "names: nothing is kept"]);
}

#[tokio::test(start_paused = true)]
async fn promise_4_the_cache_itself_tells_age_and_source() {
    let cache = cache();
    cache.insert("a", "A", terms().age(SECOND));
    advance(2 * SECOND).await;
    assert_eq!(cache.get(&"a").unwrap().source(), fresh(3 * SECOND));
    advance(8 * SECOND).await;
    assert_eq!(cache.get(&"a").unwrap().source(), stale(11 * SECOND));
    assert!(cache.get(&"b").is_none());
    assert_eq!(cache.name(), "names");
}
