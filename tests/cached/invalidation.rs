use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::advance;
use tower_failover::fallback::cached::{Cached, Query, Stale};

use crate::support::{
    NANO, Names, Origin, SECOND, Trouble, ask, begin, by_hand, by_name, cache, fresh, terms, told,
};

/// A way to forget, and its name.
type Way = (&'static str, fn(&Names));

/// The four ways to forget the answer of `a`, whose tag is `letter:a`.
const WAYS: [Way; 4] = [
    ("key", |cache| cache.invalidate(&"a")),
    ("tag", |cache| cache.invalidate_tag("letter:a")),
    ("predicate", |cache| cache.invalidate_if(|key, _| *key == "a")),
    ("all", |cache| cache.invalidate_all()),
];

/// Ways to forget something else.
const OTHERS: [Way; 3] = [
    ("key", |cache| cache.invalidate(&"b")),
    ("tag", |cache| cache.invalidate_tag("letter:b")),
    ("predicate", |cache| cache.invalidate_if(|_, value| *value == "B")),
];

/// Keeps each answer under a tag that names its letter.
fn tagged(
    cache: &Names,
) -> Cached<
    impl Query<
        &'static str,
        Response = &'static str,
        Key = &'static str,
        Stored = &'static str,
        Note = &'static str,
    > + Clone
    + use<>,
> {
    let tag =
        |request: &&'static str, _: &&'static str| Some(terms().tag(format!("letter:{request}")));
    Cached::new(cache.clone(), by_name).terms_by(tag)
}

#[tokio::test(start_paused = true)]
async fn promise_6_what_is_invalidated_is_gone_and_nothing_else() {
    for (way, invalidate) in WAYS {
        let (origin, cache) = (Origin::saying(|| Ok("A")), cache());
        let service = origin.behind(tagged(&cache));
        ask(&service, "a").await.unwrap();
        ask(&service, "c").await.unwrap();
        invalidate(&cache);
        assert!(cache.get(&"a").is_none(), "by {way}");
        assert_eq!(cache.get(&"c").is_some(), way != "all", "by {way}");
        origin.goes_down();
        assert_eq!(ask(&service, "a").await.unwrap_err(), Trouble::Down, "not even stale");
    }
}

#[tokio::test(start_paused = true)]
async fn promise_6_an_answer_on_its_way_during_an_invalidation_is_discarded() {
    for (way, invalidate) in WAYS {
        let cache = cache();
        let (mut service, mut backend) = by_hand(tagged(&cache));
        let (call, respond) = begin(&mut service, &mut backend, "a").await;
        invalidate(&cache);
        respond.send_response("A");
        assert_eq!(call.await.unwrap().into_inner(), "A", "its caller gets it");
        assert!(cache.is_empty(), "by {way}");

        let (call, respond) = begin(&mut service, &mut backend, "a").await;
        respond.send_response("A");
        call.await.unwrap();
        assert_eq!(cache.len(), 1, "the next one is kept, after one by {way}");
    }
}

#[tokio::test(start_paused = true)]
async fn promise_6_an_answer_on_its_way_is_kept_if_something_else_was_invalidated() {
    for (way, invalidate) in OTHERS {
        let cache = cache();
        let (mut service, mut backend) = by_hand(tagged(&cache));
        let (call, respond) = begin(&mut service, &mut backend, "a").await;
        for _ in 0..4_096 {
            invalidate(&cache);
        }
        respond.send_response("A");
        call.await.unwrap();
        assert_eq!(cache.get(&"a").map(|served| served.into_inner()), Some("A"), "by {way}");
    }
}

#[tokio::test(start_paused = true)]
async fn promise_6_an_answer_on_its_way_is_discarded_after_any_number_of_invalidations() {
    for (way, invalidate) in WAYS {
        for others in [0, 1, 4_094, 4_095, 4_096, 4_097, 70_000] {
            let cache = cache();
            let (mut service, mut backend) = by_hand(tagged(&cache));
            let (call, respond) = begin(&mut service, &mut backend, "a").await;
            invalidate(&cache);
            for _ in 0..others {
                cache.invalidate(&"b");
            }
            respond.send_response("A");
            call.await.unwrap();
            assert!(cache.is_empty(), "by {way}, then {others} others");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn promise_6_an_invalidation_while_an_earlier_one_is_weighed_is_not_missed() {
    let cache = cache();
    let (mut service, mut backend) = by_hand(tagged(&cache));
    let (call, respond) = begin(&mut service, &mut backend, "a").await;
    let weighed = Arc::new(AtomicUsize::new(0));
    // Asked of the answer on its way only: nothing else is there.
    let (asked, again) = (weighed.clone(), Mutex::new(Some(cache.clone())));
    cache.invalidate_if(move |_, _| {
        asked.fetch_add(1, Ordering::Relaxed);
        if let Some(cache) = again.lock().unwrap().take() {
            cache.invalidate(&"a");
        }
        false
    });
    respond.send_response("A");
    call.await.unwrap();
    assert_eq!(weighed.load(Ordering::Relaxed), 1);
    assert!(cache.is_empty());
}

#[tokio::test(start_paused = true)]
async fn promise_6_an_answer_that_comes_while_the_entries_are_looked_at_is_judged_too() {
    let cache = cache();
    let (mut service, mut backend) = by_hand(tagged(&cache));
    // It will take the place of what was forgotten first, which is looked at before `b`.
    cache.insert("first", "1", terms());
    cache.insert("b", "B", terms());
    cache.invalidate(&"first");
    let (call, respond) = begin(&mut service, &mut backend, "a").await;
    let (arrivals, arrived) = (Mutex::new(Some((call, respond))), Arc::new(AtomicUsize::new(0)));
    let count = arrived.clone();
    cache.invalidate_if(move |key, _| {
        let arrival = arrivals.lock().unwrap().take();
        if let Some((mut call, respond)) = arrival {
            respond.send_response("A");
            count.fetch_add(usize::from(call.poll().is_ready()), Ordering::Relaxed);
        }
        *key == "a"
    });
    assert_eq!(arrived.load(Ordering::Relaxed), 1);
    assert!(cache.get(&"a").is_none() && cache.get(&"b").is_some());
}

#[tokio::test(start_paused = true)]
async fn promise_6_an_old_invalidation_does_not_hit_what_came_after_it() {
    for (way, invalidate) in WAYS {
        let (origin, cache) = (Origin::saying(|| Ok("A")), cache());
        let service = origin.behind(tagged(&cache));
        for round in 0..300 {
            invalidate(&cache);
            ask(&service, "a").await.unwrap();
            assert_eq!(told(&service, "a").await, ("A", fresh(Duration::ZERO)), "{way} {round}");
            advance(NANO).await;
        }
        assert_eq!(origin.calls(), 300);
    }
}

#[tokio::test(start_paused = true)]
async fn promise_6_a_failed_call_is_not_answered_by_what_was_invalidated_while_it_ran() {
    for (way, invalidate) in WAYS {
        let cache = cache();
        let (mut service, mut backend) = by_hand(tagged(&cache));
        cache.insert("a", "A", terms().tag("letter:a"));
        advance(11 * SECOND).await;
        let (call, fail) = begin(&mut service, &mut backend, "a").await;
        invalidate(&cache);
        fail.send_error("down");
        assert_eq!(call.await.unwrap_err().to_string(), "down", "by {way}");
    }
}

#[tokio::test(start_paused = true)]
async fn promise_6_every_tag_of_an_answer_hits_it() {
    let cache = cache();
    for tag in ["one", "two", "three"] {
        cache.insert("a", "A", terms().tag("one").tag("two").tag(String::from("three")));
        cache.insert("b", "B", terms().tag("four"));
        cache.invalidate_tag("five");
        assert_eq!(cache.len(), 2);
        cache.invalidate_tag(tag);
        assert!(cache.get(&"a").is_none() && cache.get(&"b").is_some(), "by {tag}");
    }
}

#[tokio::test(start_paused = true)]
async fn promise_6_a_predicate_sees_key_and_value() {
    let cache = cache();
    for (key, value) in [("a", "1"), ("b", "1"), ("a2", "2")] {
        cache.insert(key, value, terms());
    }
    cache.invalidate_if(|key, value| key.starts_with('a') && *value == "1");
    assert!(cache.get(&"a").is_none());
    assert!(cache.get(&"b").is_some() && cache.get(&"a2").is_some());
}

#[tokio::test(start_paused = true)]
async fn promise_6_what_is_put_there_by_hand_after_an_invalidation_stays() {
    for (way, invalidate) in WAYS {
        let cache = cache();
        invalidate(&cache);
        cache.insert("a", "A", terms().tag("letter:a"));
        assert!(cache.get(&"a").is_some(), "by {way}");
    }
}

#[tokio::test(start_paused = true)]
async fn promise_6_answers_of_stale_are_discarded_too() {
    let cache = cache();
    let (mut service, mut backend) = by_hand(Stale::new(cache.clone(), by_name).terms(terms()));
    let (call, respond) = begin(&mut service, &mut backend, "a").await;
    cache.invalidate(&"a");
    respond.send_response("A");
    call.await.unwrap();
    assert!(cache.is_empty());
}
