use std::time::Duration;

use tokio::time::advance;
use tower_failover::fallback::cached::{Cached, Stale};

use crate::support::{NANO, SECOND, begin, by_hand, by_name, cache, fresh, terms};

#[tokio::test(start_paused = true)]
async fn promise_6_a_call_that_began_earlier_does_not_replace_the_answer_of_a_later_one() {
    let cache = cache();
    let (mut service, mut backend) = by_hand(Stale::new(cache.clone(), by_name).terms(terms()));
    let (early, answer_early) = begin(&mut service, &mut backend, "a").await;
    advance(NANO).await;
    let (late, answer_late) = begin(&mut service, &mut backend, "a").await;
    answer_late.send_response("late");
    assert_eq!(late.await.unwrap().into_inner(), "late");
    advance(SECOND).await;
    answer_early.send_response("early");
    assert_eq!(early.await.unwrap().into_inner(), "early", "its caller gets it all the same");
    let kept = cache.get(&"a").unwrap();
    assert_eq!((*kept.value(), kept.source()), ("late", fresh(SECOND)));
}

#[tokio::test(start_paused = true)]
async fn promise_6_a_call_that_began_later_replaces_the_answer_of_an_earlier_one() {
    let cache = cache();
    let (mut service, mut backend) = by_hand(Stale::new(cache.clone(), by_name).terms(terms()));
    let (early, answer_early) = begin(&mut service, &mut backend, "a").await;
    advance(NANO).await;
    let (late, answer_late) = begin(&mut service, &mut backend, "a").await;
    answer_early.send_response("early");
    early.await.unwrap();
    assert_eq!(cache.get(&"a").unwrap().into_inner(), "early");
    answer_late.send_response("late");
    late.await.unwrap();
    assert_eq!(cache.get(&"a").unwrap().into_inner(), "late");
}

#[tokio::test(start_paused = true)]
async fn promise_6_a_call_that_was_on_its_way_does_not_replace_what_was_put_there_by_hand() {
    let cache = cache();
    let (mut service, mut backend) = by_hand(Cached::new(cache.clone(), by_name).terms(terms()));
    let (call, respond) = begin(&mut service, &mut backend, "a").await;
    advance(NANO).await;
    cache.insert("a", "by hand", terms());
    respond.send_response("called");
    assert_eq!(call.await.unwrap().into_inner(), "called");
    assert_eq!(cache.get(&"a").unwrap().into_inner(), "by hand");
}

#[tokio::test(start_paused = true)]
async fn promise_5_a_call_that_fails_is_answered_by_what_another_call_brought_meanwhile() {
    let cache = cache();
    let (mut service, mut backend) = by_hand(Cached::new(cache.clone(), by_name).terms(terms()));
    let (unlucky, fail) = begin(&mut service, &mut backend, "a").await;
    let (lucky, respond) = begin(&mut service, &mut backend, "a").await;
    respond.send_response("A");
    lucky.await.unwrap();
    advance(SECOND).await;
    fail.send_error("down");
    let served = unlucky.await.unwrap();
    assert_eq!((*served.value(), served.source()), ("A", fresh(SECOND)));
}

#[tokio::test(start_paused = true)]
async fn promise_5_the_end_is_that_of_the_moment_the_call_failed_and_not_of_its_beginning() {
    let cache = cache();
    let (mut service, mut backend) = by_hand(Cached::new(cache.clone(), by_name).terms(terms()));
    cache.insert("a", "A", terms());
    advance(10 * SECOND).await;
    let (call, fail) = begin(&mut service, &mut backend, "a").await;
    advance(5 * SECOND).await;
    fail.send_error("down");
    assert_eq!(call.await.unwrap_err().to_string(), "down");
    assert!(cache.is_empty(), "what is past its end goes when it is found");
}

#[tokio::test(start_paused = true)]
async fn promise_5_the_time_a_call_takes_is_not_part_of_the_age() {
    let cache = cache();
    let (mut service, mut backend) = by_hand(Cached::new(cache.clone(), by_name).terms(terms()));
    let (call, respond) = begin(&mut service, &mut backend, "a").await;
    advance(100 * SECOND).await;
    respond.send_response("A");
    call.await.unwrap();
    assert_eq!(cache.get(&"a").unwrap().source(), fresh(Duration::ZERO));
}
