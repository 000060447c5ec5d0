//! Newer answers in the background, and sources that are left alone.

use std::{
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use futures::future::join_all;
use tokio::time::{Instant, advance, sleep};
use tower_failover::{
    Backoff, BoxError, Ratio,
    event::Event,
    fallback::{
        Source,
        cached::{Cache, CoalesceLayer},
    },
};

use super::support::{
    Counts, Layered, MILLI, SECOND, Stack, ask, by_number, cache, origin, slow, stack, terms,
};

/// What was told of failed refreshes.
type Waits = Arc<Mutex<Vec<Duration>>>;

/// An origin of ten milliseconds that can be switched off, and a cache that tells of it.
fn switched(
    counts: &Counts,
    is_down: &Arc<AtomicBool>,
    backoff: Backoff,
) -> (impl Stack<u64, usize> + use<>, Cache<u64, usize>, Waits) {
    let told = Waits::default();
    let tell = told.clone();
    let cache = Cache::builder("test")
        .observe(move |event: &Event<'_>| {
            if let Event::RefreshFailed { cache, error, retry_after } = event {
                assert_eq!((cache.as_str(), error.to_string()), ("test", "down".to_owned()));
                tell.lock().unwrap().push(*retry_after);
            }
        })
        .spawn();
    let down = is_down.clone();
    let inner = origin(counts, move |call, _: u64| {
        let is_down = down.load(SeqCst);
        async move {
            sleep(10 * MILLI).await;
            if is_down { Err(BoxError::from("down")) } else { Ok(call) }
        }
    });
    let cached = by_number(&cache).refresh_ahead(Ratio::percent(80));
    let layer: CoalesceLayer<Layered> =
        CoalesceLayer::new(cached.clone()).after_failed_refresh(backoff);
    (stack(&cached, layer, inner), cache, told)
}

fn doubling() -> Backoff {
    Backoff::growing(SECOND, 4 * SECOND)
}

#[tokio::test(start_paused = true)]
async fn promise_7_the_first_caller_past_the_mark_has_it_renewed_once_and_waits_for_nothing() {
    let counts = Counts::default();
    let cached = by_number(&cache()).refresh_ahead(Ratio::percent(80));
    let stack = stack(&cached, CoalesceLayer::new(cached.clone()), slow(&counts));
    ask(&stack, 1).await.unwrap();
    advance(8 * SECOND - 10 * MILLI).await;
    ask(&stack, 1).await.unwrap();
    sleep(5 * MILLI).await;
    assert_eq!(counts.calls(), 1, "not yet");
    advance(5 * MILLI).await;
    let began = Instant::now();
    for served in join_all((0..100).map(|_| ask(&stack, 1))).await {
        assert!(matches!(served.unwrap().source(), Source::Cache { .. }));
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    sleep(MILLI).await;
    assert_eq!(counts.calls(), 2);
    sleep(SECOND + 5 * MILLI).await;
    let served = ask(&stack, 1).await.unwrap();
    assert_eq!(served.into_inner(), 2, "the newer one");
    assert_eq!((counts.calls(), counts.dropped()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn promise_7_after_a_failed_refresh_the_source_is_left_alone_longer_and_longer() {
    let (counts, is_down) = (Counts::default(), Arc::new(AtomicBool::new(false)));
    let (stack, _cache, told) = switched(&counts, &is_down, doubling());
    ask(&stack, 1).await.unwrap();
    advance(8 * SECOND).await;
    is_down.store(true, SeqCst);
    // Ahead at 8 s; then it may be asked again after 1, 2, 4, 4 … s.
    let began = Instant::now();
    let mut calls = Vec::new();
    while began.elapsed() < 20 * SECOND {
        let before = counts.calls();
        assert!(ask(&stack, 1).await.unwrap().is_fallback());
        sleep(15 * MILLI).await;
        if counts.calls() > before {
            calls.push(began.elapsed().as_secs());
        }
    }
    assert_eq!(calls, [0, 1, 3, 7, 11, 15, 19]);
    let waits: Vec<_> = told.lock().unwrap().iter().map(Duration::as_secs).collect();
    assert_eq!(waits, [1, 2, 4, 4, 4, 4, 4], "one event for each");
}

#[tokio::test(start_paused = true)]
async fn promise_7_a_success_ends_that_the_source_is_left_alone() {
    let (counts, is_down) = (Counts::default(), Arc::new(AtomicBool::new(true)));
    let (stack, cache, told) = switched(&counts, &is_down, doubling());
    let stale = || cache.insert(1, 0, terms().fresh_for(Duration::ZERO));
    stale();
    for wait in [1, 2, 4] {
        ask(&stack, 1).await.unwrap();
        sleep(wait * SECOND).await;
    }
    assert_eq!(counts.calls(), 3);
    is_down.store(false, SeqCst);
    assert_eq!(ask(&stack, 1).await.unwrap().source(), Source::Primary);
    is_down.store(true, SeqCst);
    sleep(11 * SECOND).await;
    ask(&stack, 1).await.unwrap();
    assert_eq!((told.lock().unwrap().last().copied(), counts.calls()), (Some(SECOND), 5));
}

#[tokio::test(start_paused = true)]
async fn promise_7_a_source_is_left_alone_for_one_key_only() {
    let (counts, is_down) = (Counts::default(), Arc::new(AtomicBool::new(true)));
    let (stack, cache, _) = switched(&counts, &is_down, doubling());
    for key in 0..10 {
        cache.insert(key, 0, terms().fresh_for(Duration::ZERO));
    }
    for round in 1..=3 {
        for key in 0..5 {
            ask(&stack, key).await.unwrap();
        }
        assert_eq!(counts.calls(), 5, "round {round}");
    }
    for key in 5..10 {
        ask(&stack, key).await.unwrap();
    }
    assert_eq!(counts.calls(), 10);
}

#[tokio::test(start_paused = true)]
async fn promise_7_the_time_a_source_is_left_alone_is_jittered() {
    let (counts, is_down) = (Counts::default(), Arc::new(AtomicBool::new(true)));
    let backoff = Backoff::fixed(10 * SECOND).jitter(Ratio::percent(50));
    let (stack, cache, told) = switched(&counts, &is_down, backoff);
    for key in 0..200 {
        cache.insert(key, 0, terms().fresh_for(Duration::ZERO));
    }
    join_all((0..200).map(|key| ask(&stack, key))).await;
    let waits = told.lock().unwrap().clone();
    assert_eq!(waits.len(), 200);
    assert!(waits.iter().all(|wait| (5 * SECOND..=10 * SECOND).contains(wait)));
    assert!(waits.iter().any(|wait| *wait < 6 * SECOND));
    assert!(waits.iter().any(|wait| *wait > 9 * SECOND));
    sleep(5 * SECOND).await;
    join_all((0..200).map(|key| ask(&stack, key))).await;
    let again = counts.calls() - 200;
    assert!(again < 50, "{again} returned together");
}

#[tokio::test(start_paused = true)]
async fn promise_7_nothing_is_renewed_ahead_while_the_source_is_left_alone() {
    let (counts, is_down) = (Counts::default(), Arc::new(AtomicBool::new(false)));
    let (stack, _cache, _) = switched(&counts, &is_down, Backoff::fixed(60 * SECOND));
    ask(&stack, 1).await.unwrap();
    is_down.store(true, SeqCst);
    advance(8 * SECOND).await;
    for _ in 0..100 {
        ask(&stack, 1).await.unwrap();
        sleep(15 * MILLI).await;
    }
    assert_eq!(counts.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn promise_7_one_who_just_missed_the_failure_leaves_the_source_alone_too() {
    let (counts, is_down) = (Counts::default(), Arc::new(AtomicBool::new(true)));
    let (stack, cache, _) = switched(&counts, &is_down, doubling());
    cache.insert(1, 0, terms().fresh_for(Duration::ZERO));
    for served in join_all((0..100).map(|_| ask(&stack, 1))).await {
        assert!(matches!(served.unwrap().source(), Source::Stale { .. }));
    }
    assert!(matches!(ask(&stack, 1).await.unwrap().source(), Source::Stale { .. }));
    assert_eq!(counts.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn promise_7_an_observer_that_uses_the_cache_or_panics_harms_nothing() {
    for panics in [false, true] {
        let held: Arc<OnceLock<Cache<u64, usize>>> = Arc::default();
        let (seen, told) = (held.clone(), Arc::new(AtomicUsize::new(0)));
        let count = told.clone();
        let cache = Cache::builder("test")
            .observe(move |_: &Event<'_>| {
                let cache = seen.get().unwrap();
                assert!(cache.get(&1).is_some());
                cache.invalidate(&2);
                cache.insert(3, 3, terms());
                cache.sweep();
                count.fetch_add(1, SeqCst);
                assert!(!panics, "the observer panics");
            })
            .spawn();
        assert!(held.set(cache.clone()).is_ok());
        let counts = Counts::default();
        let inner = origin(&counts, |_, _: u64| async { Err::<usize, _>(BoxError::from("down")) });
        let cached = by_number(&cache);
        let stack = stack(&cached, CoalesceLayer::new(cached.clone()), inner);
        cache.insert(1, 0, terms().fresh_for(Duration::ZERO));
        let served = ask(&stack, 1).await.unwrap();
        assert!(matches!(served.source(), Source::Stale { .. }));
        assert_eq!((told.load(SeqCst), counts.calls()), (1, 1));
    }
}
