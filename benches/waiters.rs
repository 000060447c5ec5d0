//! How late 10,000 callers get a stale answer whose origin hangs: each waits for the soft timeout.
//!
//! `cargo bench --bench waiters`
#![allow(clippy::disallowed_methods, reason = "a bench measures real time, and spawns its callers")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tower::{Layer, ServiceExt, service_fn};
use tower_failover::{
    BoxError,
    fallback::{
        FallbackLayer,
        cached::{Cache, Cached, CoalesceLayer, Terms},
    },
};

const SOFT: Duration = Duration::from_millis(100);
const ROUNDS: usize = 15;

#[tokio::main(worker_threads = 2)]
async fn main() {
    println!("soft timeout {SOFT:?}, two threads, {ROUNDS} rounds: ms from call to answer");
    println!("{:>8} {:>10} {:>10} {:>10} {:>10}", "callers", "p50", "p99", "worst p99", "worst");
    for callers in [100, 1_000, 10_000] {
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            rounds.push(tokio::spawn(round(callers)).await.expect("a bench does not panic"));
        }
        let median = |pick: fn(&[f64; 3]) -> f64| {
            let mut values: Vec<_> = rounds.iter().map(pick).collect();
            values.sort_by(f64::total_cmp);
            (values[ROUNDS / 2], values[ROUNDS - 1])
        };
        let ((p50, _), (p99, worst_p99), (_, worst)) =
            (median(|round| round[0]), median(|round| round[1]), median(|round| round[2]));
        println!("{callers:>8} {p50:>10.2} {p99:>10.2} {worst_p99:>10.2} {worst:>10.2}");
    }
}

async fn hang() -> Result<Arc<str>, BoxError> {
    std::future::pending().await
}

/// The median, the 99th of 100 and the worst of one round, in milliseconds.
async fn round(callers: usize) -> [f64; 3] {
    let cache = Cache::<u64, Arc<str>>::builder("waiters").spawn();
    let stale = Terms::new().fresh_for(Duration::ZERO).stale_for(Duration::from_secs(600));
    cache.insert(1, "old".into(), stale);
    let cached = Cached::new(cache, |key: &u64| Some(*key));
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let origin = service_fn(move |_: u64| {
        counted.fetch_add(1, Ordering::Relaxed);
        hang()
    });
    let coalesced = CoalesceLayer::new(cached.clone()).soft_timeout(SOFT).layer(origin);
    let service = FallbackLayer::new(cached).served().layer(coalesced);
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let service = service.clone();
            tokio::spawn(async move {
                let began = Instant::now();
                let served = service.oneshot(1).await.expect("there is a stale answer");
                assert!(served.is_fallback());
                began.elapsed().as_secs_f64() * 1e3
            })
        })
        .collect();
    let mut taken = Vec::with_capacity(callers);
    for task in tasks {
        taken.push(task.await.expect("a caller does not panic"));
    }
    taken.sort_by(f64::total_cmp);
    assert_eq!(calls.load(Ordering::Relaxed), 1, "one call for all of them");
    [taken[callers / 2], taken[callers * 99 / 100], taken[callers - 1]]
}
