use std::time::Duration;

use tokio::time::advance;
use tower_failover::{
    Ratio,
    fallback::cached::{Cache, Cached, Stale, Terms},
};

use crate::support::{
    NANO, Origin, SECOND, Trouble, ask, by_name, cache, fresh, stale, terms, told,
};

#[tokio::test(start_paused = true)]
async fn promise_5_an_answer_that_was_old_when_it_came_says_so_and_ends_earlier() {
    let origin = Origin::saying(|| Ok("A"));
    let service = origin.behind(Cached::new(cache(), by_name).terms(terms().age(4 * SECOND)));
    ask(&service, "a").await.unwrap();
    origin.goes_down();
    assert_eq!(told(&service, "a").await, ("A", fresh(4 * SECOND)));
    advance(6 * SECOND - NANO).await;
    assert_eq!(told(&service, "a").await.1, fresh(10 * SECOND - NANO));
    advance(NANO).await;
    assert_eq!(told(&service, "a").await.1, stale(10 * SECOND));
    advance(5 * SECOND - NANO).await;
    assert_eq!(told(&service, "a").await.1, stale(15 * SECOND - NANO));
    advance(NANO).await;
    assert_eq!(ask(&service, "a").await.unwrap_err(), Trouble::Down);
}

#[tokio::test(start_paused = true)]
async fn promise_5_an_answer_past_its_end_when_it_came_is_not_kept() {
    let (origin, cache) = (Origin::saying(|| Ok("A")), cache());
    let service = origin.behind(Stale::new(cache.clone(), by_name).terms(terms().age(15 * SECOND)));
    assert!(!ask(&service, "a").await.unwrap().is_fallback());
    assert!(cache.is_empty());
    let never = terms().fresh_for(Duration::ZERO).stale_for(Duration::ZERO);
    cache.insert("a", "B", never);
    assert!(cache.is_empty());
    cache.insert("a", "C", terms().age(Duration::MAX));
    assert!(cache.is_empty() && cache.get(&"a").is_none());
}

#[tokio::test(start_paused = true)]
async fn promise_5_without_a_stale_time_nothing_is_served_stale() {
    let origin = Origin::saying(|| Ok("A"));
    let terms = terms().stale_for(Duration::ZERO);
    let service = origin.behind(Cached::new(cache(), by_name).terms(terms));
    ask(&service, "a").await.unwrap();
    origin.goes_down();
    advance(10 * SECOND - NANO).await;
    assert_eq!(told(&service, "a").await.1, fresh(10 * SECOND - NANO));
    advance(NANO).await;
    assert_eq!(ask(&service, "a").await.unwrap_err(), Trouble::Down);
}

#[tokio::test(start_paused = true)]
async fn promise_5_without_a_fresh_time_every_call_is_made() {
    let origin = Origin::saying(|| Ok("A"));
    let service =
        origin.behind(Cached::new(cache(), by_name).terms(terms().fresh_for(Duration::ZERO)));
    for calls in 1..=10 {
        assert!(!ask(&service, "a").await.unwrap().is_fallback());
        assert_eq!(origin.calls(), calls);
    }
    origin.goes_down();
    assert_eq!(told(&service, "a").await, ("A", stale(Duration::ZERO)));
}

/// Where fresh and stale ended, to the millisecond.
async fn ends(cache: &Cache<u32, u32>, key: u32, whole: u64) -> (u64, u64) {
    let (mut fresh_for, mut usable_for) = (0, 0);
    for after in 0..=whole {
        match cache.get(&key) {
            Some(served)
                if matches!(served.source(), tower_failover::fallback::Source::Cache { .. }) =>
            {
                fresh_for = after + 1;
                usable_for = after + 1;
            }
            Some(_) => usable_for = after + 1,
            None => break,
        }
        advance(Duration::from_millis(1)).await;
    }
    (fresh_for, usable_for)
}

#[tokio::test(start_paused = true)]
async fn promise_5_jitter_shortens_both_limits_and_never_lengthens_them() {
    const FRESH: u64 = 100;
    const WHOLE: u64 = 200;
    let cache = Cache::<u32, u32>::builder("numbers").build().0;
    let terms = Terms::new()
        .fresh_for(Duration::from_millis(FRESH))
        .stale_for(Duration::from_millis(WHOLE - FRESH))
        .jitter(Ratio::percent(50));
    let mut seen = Vec::new();
    for key in 0..200 {
        cache.insert(key, key, terms.clone());
        let (fresh_for, usable_for) = ends(&cache, key, WHOLE + 10).await;
        assert!((FRESH / 2..=FRESH).contains(&fresh_for), "fresh for {fresh_for} ms");
        assert!((WHOLE / 2..=WHOLE).contains(&usable_for), "usable for {usable_for} ms");
        assert!(usable_for.abs_diff(2 * fresh_for) <= 2, "not the same share of both");
        seen.push(fresh_for);
    }
    seen.sort_unstable();
    seen.dedup();
    assert!(seen.len() >= 20, "only {} different lives of fifty", seen.len());
    assert!(*seen.first().unwrap() < 60 && *seen.last().unwrap() > 90, "not spread: {seen:?}");
}

#[tokio::test(start_paused = true)]
async fn promise_5_limits_without_end_do_not_overflow() {
    let origin = Origin::saying(|| Ok("A"));
    let terms = terms().fresh_for(Duration::MAX).stale_for(Duration::MAX);
    let service = origin.behind(Cached::new(cache(), by_name).terms(terms));
    ask(&service, "a").await.unwrap();
    advance(365 * 86_400 * SECOND).await;
    assert_eq!(told(&service, "a").await, ("A", fresh(365 * 86_400 * SECOND)));
    assert_eq!(origin.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn promise_5_each_answer_is_kept_under_the_terms_of_its_request_and_response() {
    let (origin, cache) = (Origin::saying(|| Ok("A")), cache());
    let judge = |request: &&'static str, response: &&'static str| match (*request, *response) {
        ("secret", _) => None,
        ("short", _) | (_, "brief") => Some(terms().fresh_for(SECOND)),
        _ => Some(terms()),
    };
    let service = origin.behind(Cached::new(cache.clone(), by_name).terms_by(judge));
    for request in ["secret", "short", "long"] {
        ask(&service, request).await.unwrap();
    }
    origin.says(|| Ok("brief"));
    ask(&service, "brief").await.unwrap();
    assert_eq!(cache.len(), 3);
    advance(2 * SECOND).await;
    origin.goes_down();
    assert_eq!(told(&service, "long").await, ("A", fresh(2 * SECOND)));
    assert_eq!(told(&service, "short").await, ("A", stale(2 * SECOND)));
    assert_eq!(told(&service, "brief").await, ("brief", stale(2 * SECOND)));
    assert_eq!(ask(&service, "secret").await.unwrap_err(), Trouble::Down);
}

#[tokio::test(start_paused = true)]
async fn promise_5_stale_keeps_each_answer_under_its_own_terms_too() {
    let (origin, cache) = (Origin::saying(|| Ok("A")), cache());
    let judge = |request: &&'static str, _: &&'static str| (*request != "secret").then(terms);
    let service = origin.behind(Stale::new(cache.clone(), by_name).terms_by(judge));
    ask(&service, "secret").await.unwrap();
    ask(&service, "open").await.unwrap();
    origin.goes_down();
    assert_eq!(told(&service, "open").await, ("A", fresh(Duration::ZERO)));
    assert_eq!(ask(&service, "secret").await.unwrap_err(), Trouble::Down);
}
