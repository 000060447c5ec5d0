use std::time::Duration;

use tokio::time::advance;
use tower_failover::fallback::cached::Stale;

use crate::support::{
    NANO, Names, Origin, SECOND, Trouble, ask, by_name, cache, fresh, stale, terms, told,
};

/// `"none"` is a negative answer.
fn strategy(
    cache: &Names,
) -> impl tower_failover::fallback::Strategy<
    &'static str,
    Plan: tower_failover::fallback::Plan<&'static str, Trouble>,
> + Clone
+ use<> {
    Stale::new(cache.clone(), by_name).terms_by(|_: &&str, response: &&str| {
        Some(if *response == "none" { terms().negative() } else { terms() })
    })
}

#[tokio::test(start_paused = true)]
async fn promise_6_a_negative_answer_does_not_replace_a_positive_one_as_long_as_it_is_usable() {
    let (origin, cache) = (Origin::saying(|| Ok("A")), cache());
    let service = origin.behind(strategy(&cache));
    ask(&service, "a").await.unwrap();
    origin.says(|| Ok("none"));
    for _ in 0..3 {
        advance(5 * SECOND - NANO).await;
        assert_eq!(ask(&service, "a").await.unwrap().into_inner(), "none", "its caller gets it");
        assert_eq!(cache.get(&"a").unwrap().into_inner(), "A");
    }
    origin.goes_down();
    assert_eq!(told(&service, "a").await, ("A", stale(15 * SECOND - 3 * NANO)));

    advance(3 * NANO).await;
    origin.says(|| Ok("none"));
    ask(&service, "a").await.unwrap();
    origin.goes_down();
    assert_eq!(told(&service, "a").await, ("none", fresh(Duration::ZERO)), "it was past its end");
}

#[tokio::test(start_paused = true)]
async fn promise_6_a_positive_answer_replaces_a_negative_one_and_a_negative_one_its_like() {
    let (origin, cache) = (Origin::saying(|| Ok("none")), cache());
    let service = origin.behind(strategy(&cache));
    ask(&service, "a").await.unwrap();
    advance(SECOND).await;
    ask(&service, "a").await.unwrap();
    assert_eq!(cache.get(&"a").unwrap().source(), fresh(Duration::ZERO));
    origin.says(|| Ok("A"));
    advance(SECOND).await;
    ask(&service, "a").await.unwrap();
    assert_eq!(cache.get(&"a").unwrap().into_inner(), "A");
}

#[tokio::test(start_paused = true)]
async fn promise_6_a_negative_answer_put_there_by_hand_keeps_to_the_rule() {
    let cache = cache();
    cache.insert("a", "A", terms());
    advance(14 * SECOND).await;
    cache.insert("a", "none", terms().negative());
    assert_eq!(cache.get(&"a").unwrap().into_inner(), "A");
    advance(SECOND).await;
    cache.insert("a", "none", terms().negative());
    assert_eq!(cache.get(&"a").unwrap().into_inner(), "none");
    cache.invalidate(&"a");
    cache.insert("a", "none", terms().negative());
    assert_eq!(cache.get(&"a").unwrap().into_inner(), "none");
}
