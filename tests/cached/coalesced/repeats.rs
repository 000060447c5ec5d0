//! What one caller has got is not stored, asked or counted once more by the others.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use futures::{FutureExt, future::join_all};
use tokio::time::{Instant, advance, sleep};
use tower::Layer;
use tower_failover::{
    Ratio,
    fallback::{
        Elapsed, FallbackLayer, Source,
        cached::{Cache, CoalesceLayer},
    },
};

use super::{
    house::{Ask, House, housed},
    support::{Counts, MILLI, SECOND, ask, by_number, cache, origin, slow, stack, terms},
};

#[tokio::test(start_paused = true)]
async fn promise_7_those_who_came_later_and_waited_store_nothing() {
    let (counts, weighed) = (Counts::default(), Arc::new(AtomicUsize::new(0)));
    let weigh = weighed.clone();
    let cache = Cache::<u64, usize>::builder("test")
        .max_bytes(1 << 20, move |_, _| {
            weigh.fetch_add(1, SeqCst);
            1
        })
        .spawn();
    let cached = by_number(&cache);
    let stack = stack(&cached, CoalesceLayer::new(cached.clone()), slow(&counts));
    let callers = (0..100u32).map(|n| {
        let stack = &stack;
        async move {
            sleep(n * MILLI).await;
            ask(stack, 1).await.unwrap().into_inner()
        }
    });
    assert_eq!(join_all(callers).await, vec![1; 100]);
    assert_eq!((counts.calls(), weighed.load(SeqCst)), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn promise_7_a_waiter_who_looks_late_does_not_make_the_answer_younger() {
    let counts = Counts::default();
    let cache = cache();
    let cached = by_number(&cache);
    let stack = stack(&cached, CoalesceLayer::new(cached.clone()), slow(&counts));
    let mut first = Box::pin(ask(&stack, 1));
    assert!(futures::poll!(&mut first).is_pending());
    advance(100 * MILLI).await;
    let mut late = Box::pin(ask(&stack, 1));
    assert!(futures::poll!(&mut late).is_pending());
    first.await.unwrap();
    advance(9 * SECOND).await;
    assert_eq!(late.await.unwrap().into_inner(), 1);
    assert_eq!(cache.get(&1).unwrap().source(), Source::Cache { age: 9 * SECOND });
}

#[tokio::test(start_paused = true)]
async fn promise_7_a_panic_of_the_keeper_on_the_way_to_the_call_leaves_the_key_free() {
    let (counts, cache) = (Counts::default(), cache());
    let looks = Arc::new(AtomicUsize::new(0));
    let count = looks.clone();
    let mut house = House::new();
    house.admits = Arc::new(move |_| {
        assert!(count.fetch_add(1, SeqCst) != 1, "the keeper panics at its second look");
        true
    });
    let inner = origin(&counts, |call, ask: Ask| async move { Ok((call, ask.who)) });
    let stack = housed(&cache, house, |layer| layer, inner);
    cache.insert(1, (0, 0), terms().fresh_for(Duration::ZERO));
    let one = Ask { key: 1, who: 1 };
    assert!(AssertUnwindSafe(ask(&stack, one)).catch_unwind().await.is_err());
    assert_eq!(looks.load(SeqCst), 2, "it was the second look that panicked");
    let began = Instant::now();
    assert_eq!(ask(&stack, one).await.unwrap().into_inner(), (1, 1));
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn promise_7_an_answer_that_does_not_end_is_given_up_in_the_background_too() {
    let counts = Counts::default();
    let cache = Cache::builder("test").background_loads(1).spawn();
    let mut house = House::new();
    house.keep = Arc::new(|(_, _, deposit)| std::mem::forget(deposit));
    house.finish = Arc::new(|_| Box::pin(std::future::pending()));
    let inner = origin(&counts, |call, ask: Ask| async move {
        sleep(SECOND).await;
        Ok((call, ask.who))
    });
    let set = |layer: CoalesceLayer<House>| layer.hard_timeout(SECOND / 2).load_timeout(5 * SECOND);
    let stack = housed(&cache, house, set, inner);
    let one = |key| Ask { key, who: 0 };
    ask(&stack, one(1)).await.unwrap_err();
    sleep(2 * SECOND).await;
    assert_eq!((counts.calls(), counts.dropped()), (1, 0), "it was answered in the background");
    ask(&stack, one(2)).await.unwrap_err();
    assert_eq!((counts.calls(), counts.dropped()), (2, 1), "there is one place");
    sleep(5 * SECOND).await;
    ask(&stack, one(3)).await.unwrap_err();
    sleep(SECOND).await;
    assert_eq!((counts.calls(), counts.dropped()), (3, 1), "the place is free again");
}

#[tokio::test(start_paused = true)]
async fn promise_7_without_a_place_in_the_background_nothing_is_refreshed_ahead() {
    let counts = Counts::default();
    let (cache, upkeep) = Cache::builder("test").build();
    drop(upkeep);
    let cached = by_number(&cache).refresh_ahead(Ratio::percent(50));
    let stack = stack(&cached, CoalesceLayer::new(cached.clone()), slow(&counts));
    ask(&stack, 1).await.unwrap();
    advance(6 * SECOND).await;
    for _ in 0..100 {
        assert_eq!(ask(&stack, 1).await.unwrap().source(), Source::Cache { age: 6 * SECOND });
    }
    assert_eq!((counts.calls(), counts.dropped()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn promise_7_a_refresh_whose_answer_is_not_kept_does_not_end_refreshing() {
    let (counts, cache) = (Counts::default(), cache());
    let cached = by_number(&cache)
        .terms_by(|_: &u64, call: &usize| {
            Some(if *call == 2 { terms().negative() } else { terms() })
        })
        .refresh_ahead(Ratio::percent(50));
    let layer = CoalesceLayer::new(cached.clone());
    let stack = FallbackLayer::new(cached).served().layer(layer.layer(slow(&counts)));
    // The answer of the second call gives way to the first, the third's replaces it.
    for (wait, answer, calls) in [(0, 1, 1), (6, 1, 2), (1, 1, 3), (1, 3, 3)] {
        advance(wait * SECOND + 10 * MILLI).await;
        assert_eq!(ask(&stack, 1).await.unwrap().into_inner(), answer);
        sleep(SECOND + 10 * MILLI).await;
        assert_eq!(counts.calls(), calls);
    }
}

#[tokio::test(start_paused = true)]
async fn promise_7_work_that_was_given_to_one_who_does_not_look_goes_on_in_the_background() {
    let counts = Counts::default();
    let cached = by_number(&cache());
    let layer = CoalesceLayer::new(cached.clone()).hard_timeout(3 * SECOND);
    let inner = origin(&counts, |call, _: u64| async move {
        sleep(5 * SECOND).await;
        Ok(call)
    });
    let stack = stack(&cached, layer, inner);
    let mut first = Box::pin(ask(&stack, 1));
    let mut idle = Box::pin(ask(&stack, 1));
    let mut last = Box::pin(ask(&stack, 1));
    for caller in [&mut first, &mut idle, &mut last] {
        assert!(futures::poll!(caller).is_pending());
    }
    drop(first);
    assert!(last.await.unwrap_err().is::<Elapsed>());
    sleep(10 * SECOND).await;
    assert_eq!(ask(&stack, 1).await.unwrap().into_inner(), 1, "loaded in the background");
    assert_eq!((counts.calls(), counts.dropped()), (1, 0));
    assert_eq!(idle.await.unwrap().into_inner(), 1);
}
