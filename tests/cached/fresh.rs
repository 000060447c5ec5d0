use std::time::Duration;

use tokio::time::advance;
use tower_failover::fallback::cached::{Cached, Stale};

use crate::support::{
    NANO, Origin, SECOND, Trouble, ask, by_name, cache, fresh, stale, terms, told,
};

#[tokio::test(start_paused = true)]
async fn promise_5_an_answer_is_fresh_then_stale_then_gone_to_the_nanosecond() {
    let origin = Origin::saying(|| Ok("A"));
    let service = origin.behind(Cached::new(cache(), by_name).terms(terms()));
    assert!(!ask(&service, "a").await.unwrap().is_fallback());
    origin.goes_down();

    let mut age = Duration::ZERO;
    let moments = [
        (Duration::ZERO, true),
        (10 * SECOND - NANO, true),
        (10 * SECOND, false),
        (15 * SECOND - NANO, false),
    ];
    let mut calls = 1;
    for (at, is_fresh) in moments {
        advance(at - age).await;
        age = at;
        let source = if is_fresh { fresh(age) } else { stale(age) };
        assert_eq!(told(&service, "a").await, ("A", source));
        calls += usize::from(!is_fresh);
        assert_eq!(origin.calls(), calls, "at {at:?}");
    }
    advance(NANO).await;
    assert_eq!(ask(&service, "a").await.unwrap_err(), Trouble::Down);
    assert_eq!(origin.calls(), 4);
}

#[tokio::test(start_paused = true)]
async fn promise_5_a_fresh_answer_is_given_without_a_call() {
    let origin = Origin::saying(|| Ok("A"));
    let service = origin.behind(Cached::new(cache(), by_name).terms(terms()));
    ask(&service, "a").await.unwrap();
    origin.says(|| Ok("B"));
    for _ in 0..100 {
        assert_eq!(told(&service, "a").await, ("A", fresh(Duration::ZERO)));
    }
    assert_eq!(origin.calls(), 1);
    ask(&service, "b").await.unwrap();
    assert_eq!(origin.calls(), 2, "another key is another answer");
}

#[tokio::test(start_paused = true)]
async fn promise_5_the_first_call_that_fails_gets_the_stale_answer() {
    let origin = Origin::saying(|| Ok("A"));
    let service = origin.behind(Stale::new(cache(), by_name).terms(terms()));
    ask(&service, "a").await.unwrap();
    origin.goes_down();
    assert_eq!(told(&service, "a").await, ("A", fresh(Duration::ZERO)));
    advance(11 * SECOND).await;
    assert_eq!(told(&service, "a").await, ("A", stale(11 * SECOND)));
    assert_eq!(ask(&service, "b").await.unwrap_err(), Trouble::Down, "never answered before");
    assert_eq!(origin.calls(), 4);
}

#[tokio::test(start_paused = true)]
async fn promise_5_stale_makes_every_call_and_keeps_the_last_answer() {
    let origin = Origin::saying(|| Ok("A"));
    let service = origin.behind(Stale::new(cache(), by_name).terms(terms()));
    assert!(!ask(&service, "a").await.unwrap().is_fallback());
    origin.says(|| Ok("B"));
    advance(NANO).await;
    assert!(!ask(&service, "a").await.unwrap().is_fallback(), "fresh, and called all the same");
    origin.goes_down();
    assert_eq!(told(&service, "a").await, ("B", fresh(Duration::ZERO)));
    assert_eq!(origin.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn promise_5_a_permanent_outage_does_not_lengthen_the_life_of_an_answer() {
    let origin = Origin::saying(|| Ok("A"));
    let service = origin.behind(Cached::new(cache(), by_name).terms(terms()));
    ask(&service, "a").await.unwrap();
    origin.goes_down();
    advance(10 * SECOND).await;
    let step = SECOND / 100;
    for n in 0..500 {
        assert_eq!(told(&service, "a").await.1, stale(10 * SECOND + n * step));
        advance(step).await;
    }
    for _ in 0..500 {
        assert_eq!(ask(&service, "a").await.unwrap_err(), Trouble::Down);
        advance(step).await;
    }
    assert_eq!(origin.calls(), 1 + 1000);
}

#[tokio::test(start_paused = true)]
async fn promise_5_both_strategies_share_one_cache() {
    let (origin, cache) = (Origin::saying(|| Ok("A")), cache());
    let reads = origin.behind(Cached::new(cache.clone(), by_name).terms(terms()));
    let writes = origin.behind(Stale::new(cache.clone(), by_name).terms(terms()));
    ask(&writes, "a").await.unwrap();
    assert_eq!(told(&reads, "a").await, ("A", fresh(Duration::ZERO)));
    assert_eq!((origin.calls(), cache.len()), (1, 1));
    advance(12 * SECOND).await;
    origin.says(|| Ok("B"));
    ask(&reads, "a").await.unwrap();
    origin.goes_down();
    advance(SECOND).await;
    assert_eq!(told(&writes, "a").await, ("B", fresh(SECOND)));
}

#[tokio::test(start_paused = true)]
async fn promise_5_an_answer_that_came_back_starts_a_new_life() {
    let origin = Origin::saying(|| Ok("A"));
    let service = origin.behind(Cached::new(cache(), by_name).terms(terms()));
    ask(&service, "a").await.unwrap();
    advance(14 * SECOND).await;
    origin.says(|| Ok("B"));
    assert!(!ask(&service, "a").await.unwrap().is_fallback());
    origin.goes_down();
    advance(15 * SECOND - NANO).await;
    assert_eq!(told(&service, "a").await, ("B", stale(15 * SECOND - NANO)));
    advance(NANO).await;
    assert_eq!(ask(&service, "a").await.unwrap_err(), Trouble::Down);
}
