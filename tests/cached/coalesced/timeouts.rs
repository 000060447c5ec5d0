//! How long callers wait, and what becomes of the call when they do not.

use std::time::Duration;

use futures::future::{join, join_all};
use tokio::time::{Instant, sleep};
use tower_failover::{
    BoxError,
    fallback::{
        Elapsed, Source,
        cached::{Cache, CoalesceLayer},
    },
};

use super::{
    house::{Ask, House, housed},
    support::{
        Counts, Layered, MILLI, SECOND, Stack, ask, by_number, cache, origin, slow, stack, terms,
    },
};

/// A stack whose calls take ten seconds.
fn ten_seconds<F>(
    counts: &Counts,
    cache: &Cache<u64, usize>,
    set: F,
) -> impl Stack<u64, usize> + use<F>
where
    F: FnOnce(CoalesceLayer<Layered>) -> CoalesceLayer<Layered>,
{
    let inner = origin(counts, |call, _: u64| async move {
        sleep(10 * SECOND).await;
        Ok(call)
    });
    let cached = by_number(cache);
    stack(&cached, set(CoalesceLayer::new(cached.clone())), inner)
}

/// Puts there what is stale at once, for 110 s.
fn keep_stale(cache: &Cache<u64, usize>, key: u64) {
    cache.insert(key, 0, terms().fresh_for(Duration::ZERO).stale_for(110 * SECOND));
}

fn is_elapsed<T>(answer: Result<T, BoxError>) -> bool {
    answer.is_err_and(|error| error.is::<Elapsed>())
}

#[tokio::test(start_paused = true)]
async fn promise_7_each_who_waits_has_his_own_deadline() {
    let counts = Counts::default();
    let stack = ten_seconds(&counts, &cache(), |layer| layer.hard_timeout(3 * SECOND));
    let callers = (0..20u32).map(|n| {
        let stack = &stack;
        async move {
            sleep(n * 100 * MILLI).await;
            let began = Instant::now();
            assert!(is_elapsed(ask(stack, 1).await));
            began.elapsed()
        }
    });
    for waited in join_all(callers).await {
        assert!(waited >= 3 * SECOND - 4 * MILLI && waited <= 3 * SECOND + MILLI, "{waited:?}");
    }
    assert_eq!((counts.calls(), counts.dropped()), (1, 0));
    sleep(10 * SECOND).await;
    assert_eq!(ask(&stack, 1).await.unwrap().into_inner(), 1, "it went on in the background");
    assert_eq!((counts.calls(), counts.running()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn promise_7_the_stale_answer_comes_at_the_soft_timeout_to_all_who_wait() {
    let (counts, cache) = (Counts::default(), cache());
    let stack = ten_seconds(&counts, &cache, |layer| layer.soft_timeout(100 * MILLI));
    keep_stale(&cache, 1);
    let began = Instant::now();
    for served in join_all((0..100).map(|_| ask(&stack, 1))).await {
        assert!(matches!(served.unwrap().source(), Source::Stale { .. }));
    }
    let waited = began.elapsed();
    assert!(waited >= 96 * MILLI && waited <= 101 * MILLI, "{waited:?}");
    assert_eq!((counts.calls(), counts.running()), (1, 1));
    sleep(10 * SECOND).await;
    assert_eq!(ask(&stack, 1).await.unwrap().source(), Source::Cache { age: 96 * MILLI });
}

#[tokio::test(start_paused = true)]
async fn promise_7_nobody_waits_for_the_soft_timeout_who_could_have_nothing_stale() {
    let (counts, cache) = (Counts::default(), cache());
    let set =
        |layer: CoalesceLayer<Layered>| layer.soft_timeout(100 * MILLI).hard_timeout(3 * SECOND);
    let stack = ten_seconds(&counts, &cache, set);
    let began = Instant::now();
    assert!(is_elapsed(ask(&stack, 1).await), "nothing is kept");
    assert!(began.elapsed() >= 3 * SECOND - 4 * MILLI);

    let cache = super::support::cache();
    let mut house = House::new();
    house.admits = std::sync::Arc::new(|(ask, _)| ask.who == 1);
    house.permits = house.admits.clone();
    let inner = origin(&counts, |call, ask: Ask| async move {
        sleep(10 * SECOND).await;
        Ok((call, ask.who))
    });
    let set =
        |layer: CoalesceLayer<House>| layer.soft_timeout(100 * MILLI).hard_timeout(3 * SECOND);
    let stack = housed(&cache, house, set, inner);
    cache.insert(1, (0, 1), terms().fresh_for(Duration::ZERO));
    let began = Instant::now();
    let (his, not_his) =
        join(ask(&stack, Ask { key: 1, who: 1 }), ask(&stack, Ask { key: 1, who: 2 })).await;
    assert!(matches!(his.unwrap().source(), Source::Stale { .. }));
    assert!(is_elapsed(not_his), "what is kept is not for him");
    assert!(began.elapsed() >= 3 * SECOND - 4 * MILLI);
}

#[tokio::test(start_paused = true)]
async fn promise_7_who_comes_after_the_soft_timeout_of_a_running_call_does_not_wait() {
    let (counts, cache) = (Counts::default(), cache());
    let stack = ten_seconds(&counts, &cache, |layer| layer.soft_timeout(100 * MILLI));
    keep_stale(&cache, 1);
    ask(&stack, 1).await.unwrap();
    sleep(4 * MILLI).await;
    let began = Instant::now();
    for _ in 0..100 {
        assert!(matches!(ask(&stack, 1).await.unwrap().source(), Source::Stale { .. }));
    }
    assert_eq!((began.elapsed(), counts.calls()), (Duration::ZERO, 1));
}

#[tokio::test(start_paused = true)]
async fn promise_7_no_more_calls_go_on_in_the_background_than_there_are_places() {
    let counts = Counts::default();
    let cache = Cache::builder("test").background_loads(2).spawn();
    let inner = origin(&counts, |call, request: u64| async move {
        sleep(SECOND).await;
        assert!(request != 1, "that of the first key panics");
        sleep(4 * SECOND).await;
        Ok(call)
    });
    let cached = by_number(&cache);
    let layer = CoalesceLayer::new(cached.clone()).hard_timeout(SECOND / 2);
    let stack = stack(&cached, layer, inner);
    let ask_for = async |keys: std::ops::Range<u64>| {
        assert!(join_all(keys.map(|key| ask(&stack, key))).await.into_iter().all(is_elapsed));
    };
    ask_for(1..6).await;
    assert_eq!((counts.calls(), counts.dropped(), counts.running()), (5, 3, 2));
    sleep(SECOND).await;
    assert_eq!((counts.dropped(), counts.running()), (4, 1), "one has panicked");
    ask_for(6..8).await;
    assert_eq!(
        (counts.calls(), counts.dropped(), counts.running()),
        (7, 5, 2),
        "it left its place"
    );
    sleep(10 * SECOND).await;
    assert_eq!((counts.dropped(), counts.running()), (5, 0));
    ask_for(8..12).await;
    assert_eq!(
        (counts.calls(), counts.dropped(), counts.running()),
        (11, 7, 2),
        "as did the others"
    );
}

#[tokio::test(start_paused = true)]
async fn promise_7_a_call_that_has_no_place_in_the_background_is_left_to_those_who_wait() {
    let counts = Counts::default();
    let (cache, upkeep) = Cache::builder("test").build();
    drop(upkeep);
    let stack = ten_seconds(&counts, &cache, |layer| layer.hard_timeout(6 * SECOND));
    let later = |wait: u32| {
        let stack = &stack;
        async move {
            sleep(wait * SECOND).await;
            ask(stack, 1).await
        }
    };
    let (first, (next, last)) = join(later(0), join(later(3), later(5))).await;
    assert!(is_elapsed(first) && is_elapsed(next));
    assert_eq!(last.unwrap().into_inner(), 1, "he went on with it");
    assert_eq!((counts.calls(), counts.dropped()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn promise_7_without_upkeep_a_call_ends_with_its_last_caller_and_nothing_hangs() {
    let counts = Counts::default();
    let (cache, upkeep) = Cache::builder("test").build();
    drop(upkeep);
    let stack = ten_seconds(&counts, &cache, |layer| layer.hard_timeout(SECOND));
    for n in 1..10 {
        let began = Instant::now();
        assert!(join_all((0..10).map(|_| ask(&stack, 1))).await.into_iter().all(is_elapsed));
        assert!(began.elapsed() <= SECOND + MILLI);
        assert_eq!((counts.calls(), counts.dropped()), (n, n));
    }
}

#[tokio::test(start_paused = true)]
async fn promise_7_when_the_upkeep_is_dropped_those_who_wait_for_its_calls_make_one_of_their_own() {
    let counts = Counts::default();
    let (cache, upkeep) = Cache::builder("test").build();
    let upkeep = tokio::spawn(upkeep);
    let stack = ten_seconds(&counts, &cache, |layer| layer.hard_timeout(6 * SECOND));
    let early = async {
        assert!(is_elapsed(ask(&stack, 1).await));
    };
    let late = async {
        sleep(3 * SECOND).await;
        ask(&stack, 1).await
    };
    let stop = async {
        sleep(7 * SECOND).await;
        assert_eq!((counts.calls(), counts.running()), (1, 1), "it is in the background");
        upkeep.abort();
        sleep(SECOND).await;
        assert_eq!((counts.calls(), counts.dropped(), counts.running()), (2, 1, 1));
    };
    let ((), late, ()) = futures::join!(early, late, stop);
    assert!(is_elapsed(late), "his time is not longer for that");
    assert_eq!((counts.calls(), counts.running()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn promise_7_an_answer_in_time_is_not_given_up() {
    let (counts, cache) = (Counts::default(), cache());
    let cached = by_number(&cache);
    let layer = CoalesceLayer::new(cached.clone()).soft_timeout(SECOND + 10 * MILLI);
    let stack = stack(&cached, layer, slow(&counts));
    keep_stale(&cache, 1);
    for served in join_all((0..10).map(|_| ask(&stack, 1))).await {
        assert_eq!(served.unwrap().source(), Source::Primary);
    }
    assert_eq!(counts.calls(), 1);
}
