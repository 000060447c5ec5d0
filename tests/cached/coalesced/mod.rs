//! One call for all who want the same answer: promise 7.

mod bodies;
mod doubts;
mod ends;
mod failures;
mod house;
mod misses;
mod readiness;
mod refreshes;
mod repeats;
mod storm;
mod support;
mod timeouts;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use tokio::time::sleep;
use tower::{Layer, Service, ServiceExt};
use tower_failover::{
    BoxError, Ratio,
    fallback::{
        FallbackLayer, Source,
        cached::{Cache, Cached, CoalesceLayer, Terms},
    },
};

const SECOND: Duration = Duration::from_secs(1);

fn terms() -> Terms {
    Terms::new().fresh_for(10 * SECOND).stale_for(100 * SECOND).jitter(Ratio::percent(0))
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_misses_make_one_call_also_when_the_first_leaves() {
    let cache = Cache::<u64, u64>::builder("test").spawn();
    let cached = Cached::new(cache, |request: &u64| Some(*request)).terms(terms());
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let origin = tower::service_fn(move |request: u64| {
        let calls = counted.clone();
        async move {
            calls.fetch_add(1, Ordering::Relaxed);
            sleep(SECOND).await;
            Ok::<_, BoxError>(request * 2)
        }
    });
    let service =
        FallbackLayer::new(cached.clone()).served().layer(CoalesceLayer::new(cached).layer(origin));
    let mut callers: Vec<_> = (0..10_000).map(|_| Box::pin(service.clone().oneshot(21))).collect();
    for caller in &mut callers {
        assert!(futures::poll!(caller).is_pending());
    }
    drop(callers.remove(0));
    for served in join_all(callers).await {
        assert_eq!(served.unwrap().into_inner(), 42);
    }
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    let served = service.clone().oneshot(21).await.unwrap();
    assert_eq!(served.source(), Source::Cache { age: Duration::ZERO });
}

#[tokio::test(start_paused = true)]
async fn a_slow_origin_is_covered_by_the_stale_answer_and_its_own_comes_later() {
    let cache = Cache::<u64, u64>::builder("test").spawn();
    let cached = Cached::new(cache.clone(), |request: &u64| Some(*request)).terms(terms());
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let origin = tower::service_fn(move |_: u64| {
        let call = counted.fetch_add(1, Ordering::Relaxed) as u64;
        async move {
            sleep(SECOND).await;
            Ok::<_, BoxError>(call)
        }
    });
    let below = CoalesceLayer::new(cached.clone()).soft_timeout(Duration::from_millis(100));
    let mut service = FallbackLayer::new(cached).served().layer(below.layer(origin));
    assert_eq!(service.ready().await.unwrap().call(1).await.unwrap().into_inner(), 0);
    tokio::time::advance(20 * SECOND).await;
    let begun = tokio::time::Instant::now();
    let served = service.ready().await.unwrap().call(1).await.unwrap();
    assert!(begun.elapsed() <= Duration::from_millis(101), "{:?}", begun.elapsed());
    assert!(matches!(served.source(), Source::Stale { .. }));
    sleep(2 * SECOND).await;
    assert_eq!(calls.load(Ordering::Relaxed), 2);
    let served = service.ready().await.unwrap().call(1).await.unwrap();
    assert!(matches!(served.source(), Source::Cache { .. }), "{:?}", served.source());
    assert_eq!(served.into_inner(), 1);
}
