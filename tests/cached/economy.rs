//! What answers cost, and who does the work that is left.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::time::{advance, sleep};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_failover::{
    BoxError, FallbackLayer, Ratio,
    fallback::cached::{Cache, Cached, CoalesceLayer, Terms},
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn promise_6_a_fresh_answer_allocates_nothing_whatever_its_tags() {
    let cache = Cache::<u32, u32>::builder("tagged").build().0;
    let terms = Terms::new().tag(String::from("one")).tag("two");
    let cached = Cached::new(cache.clone(), |key: &u32| Some(*key)).terms(terms.clone());
    let origin = service_fn(async |_: u32| Err::<u32, BoxError>("not asked".into()));
    let mut service = FallbackLayer::new(cached).layer(origin);
    cache.insert(1, 7, terms);
    let mut hits = 0;
    let counted = allocation_counter::measure(|| {
        for _ in 0..100 {
            let mut call = std::pin::pin!(service.call(1));
            let mut cx = Context::from_waker(Waker::noop());
            hits += usize::from(matches!(call.as_mut().poll(&mut cx), Poll::Ready(Ok(7))));
        }
    });
    assert_eq!((hits, counted.count_total), (100, 0));
}

#[tokio::test(start_paused = true)]
async fn promise_7_an_upkeep_that_is_held_but_not_polled_is_given_no_work() {
    let (cache, _upkeep) = Cache::<u32, u32>::builder("held").build();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let origin = service_fn(move |key: u32| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move {
            sleep(Duration::from_millis(1_200)).await;
            Ok::<_, BoxError>(key)
        }
    });
    let cached = Cached::new(cache, |key: &u32| Some(*key));
    let service = CoalesceLayer::new(cached).hard_timeout(SECOND).layer(origin);
    let first = tokio::spawn(service.clone().oneshot(1));
    sleep(SECOND / 2).await;
    assert_eq!(service.oneshot(1).await.unwrap(), 1, "goes on where the first one left");
    assert!(first.await.unwrap().is_err(), "his time was up");
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn promise_7_a_refresh_that_was_not_made_is_claimed_again_after_a_while() {
    let cache = Cache::<u32, u32>::builder("claimed").build().0;
    let terms = Terms::new().fresh_for(1_000 * SECOND).jitter(Ratio::percent(0));
    let cached = Cached::new(cache.clone(), |key: &u32| Some(*key))
        .terms(terms.clone())
        .refresh_ahead(Ratio::percent(10));
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let refuses = service_fn(move |_: u32| {
        counted.fetch_add(1, Ordering::Relaxed);
        std::future::ready(Err::<u32, BoxError>("refused".into()))
    });
    let mut service = FallbackLayer::new(cached).layer(refuses);
    cache.insert(1, 7, terms);
    advance(200 * SECOND).await;
    for (after, expected) in [(0, 1), (29, 1), (2, 2), (29, 2), (2, 3)] {
        advance(after * SECOND).await;
        for _ in 0..10 {
            assert_eq!(service.ready().await.unwrap().call(1).await.unwrap(), 7);
        }
        assert_eq!(asked.load(Ordering::Relaxed), expected, "{after} s later");
    }
}
