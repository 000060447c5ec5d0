//! No answer outlives its end, and no attempt to renew one is judged by what says nothing of it.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use futures::poll;
use tokio::time::{Instant, advance, sleep, timeout};
use tower::{Layer, Service, ServiceExt, limit::ConcurrencyLimit};
use tower_failover::fallback::{
    FallbackLayer, Source,
    cached::{Cache, CoalesceLayer, Stale},
};

use super::{
    house::{Ask, House, housed},
    support::{Counts, MILLI, SECOND, ask, by_number, cache, origin, slow, stack, terms},
};

#[tokio::test(start_paused = true)]
async fn promise_5_an_answer_that_a_layer_below_gave_from_the_cache_does_not_begin_anew() {
    let (counts, cache) = (Counts::default(), cache());
    let inner = origin(&counts, |call, _: u64| async move { Ok(call) });
    let stale = Stale::new(cache.clone(), |number: &u64| Some(*number)).terms(terms());
    let below = CoalesceLayer::new(by_number(&cache)).layer(inner);
    let stack = FallbackLayer::new(stale).served().layer(below);
    for _ in 0..100 {
        ask(&stack, 1).await.unwrap();
        advance(4 * SECOND).await;
    }
    assert_eq!(counts.calls(), 34, "every third call finds it past the ten seconds");
}

#[tokio::test(start_paused = true)]
async fn promise_5_who_waited_and_looks_after_the_end_of_the_answer_is_not_given_it() {
    let (counts, cache) = (Counts::default(), cache());
    let cached = by_number(&cache);
    let layer = CoalesceLayer::new(cached.clone()).hard_timeout(7_200 * SECOND);
    let stack = stack(&cached, layer, slow(&counts));
    let (mut first, mut late) = (Box::pin(ask(&stack, 1)), Box::pin(ask(&stack, 1)));
    assert!(poll!(&mut first).is_pending() && poll!(&mut late).is_pending());
    assert_eq!(first.await.unwrap().into_inner(), 1);
    advance(3_600 * SECOND).await;
    assert!(poll!(&mut late).is_pending(), "it is past its end");
    assert_eq!(late.await.unwrap().into_inner(), 2);
    assert_eq!(counts.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn promise_7_a_whole_stack_that_has_answered_from_the_cache_holds_no_place_below() {
    let (counts, cache) = (Counts::default(), cache());
    cache.insert(1, 7, terms());
    let cached = by_number(&cache);
    let inner = ConcurrencyLimit::new(slow(&counts), 1);
    let mut idle = stack(&cached, CoalesceLayer::new(cached.clone()), inner);
    let mut other = idle.clone();
    let served = idle.ready().await.unwrap().call(1).await.unwrap();
    assert_eq!(served.source(), Source::Cache { age: Duration::ZERO });
    let began = Instant::now();
    let ready = timeout(10 * SECOND, other.ready()).await.expect("the place is free");
    assert_eq!(ready.unwrap().call(2).await.unwrap().into_inner(), 1);
    assert_eq!(began.elapsed(), SECOND);
}

#[tokio::test(start_paused = true)]
async fn promise_7_without_settings_a_stale_answer_comes_after_a_second_at_the_latest() {
    let (counts, cache) = (Counts::default(), cache());
    cache.insert(1, 0, terms().fresh_for(Duration::ZERO));
    let inner = origin(&counts, |call, _: u64| async move {
        sleep(20 * SECOND).await;
        Ok(call)
    });
    let cached = by_number(&cache);
    let stack = stack(&cached, CoalesceLayer::new(cached.clone()), inner);
    let began = Instant::now();
    let served = ask(&stack, 1).await.unwrap();
    assert!(matches!(served.source(), Source::Stale { .. }));
    assert!(began.elapsed() <= SECOND && began.elapsed() >= 990 * MILLI, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn promise_7_a_load_that_nobody_can_go_on_with_leaves_the_source_alone() {
    let counts = Counts::default();
    let (cache, upkeep) = Cache::<u64, usize>::builder("full").background_loads(0).build();
    tokio::spawn(upkeep);
    cache.insert(1, 0, terms().fresh_for(Duration::ZERO));
    let inner = origin(&counts, |call, _: u64| async move {
        sleep(20 * SECOND).await;
        Ok(call)
    });
    let cached = by_number(&cache);
    let layer = CoalesceLayer::new(cached.clone()).soft_timeout(100 * MILLI);
    let stack = stack(&cached, layer, inner);
    for _ in 0..10 {
        let served = ask(&stack, 1).await.unwrap();
        assert!(matches!(served.source(), Source::Stale { .. }));
    }
    assert_eq!((counts.calls(), counts.dropped()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn promise_7_a_reader_who_leaves_does_not_have_his_source_left_alone() {
    let (counts, cache) = (Counts::default(), cache());
    let deposits = Arc::new(Mutex::new(Vec::new()));
    let reads = Arc::new(AtomicBool::new(false));
    let mut house = House::new();
    let (unread, is_read) = (deposits.clone(), reads.clone());
    house.keep = Arc::new(move |(_, answer, deposit)| match is_read.load(SeqCst) {
        true => deposit.store(answer, terms()),
        false => unread.lock().unwrap().push(deposit),
    });
    let inner = origin(&counts, |call, ask: Ask| async move {
        sleep(50 * MILLI).await;
        Ok((call, ask.who))
    });
    let stack = housed(&cache, house, |layer| layer.soft_timeout(100 * MILLI), inner);
    let one = Ask { key: 1, who: 0 };
    cache.insert(1, (0, 0), terms().fresh_for(Duration::ZERO));
    let (first, waiter) = tokio::join!(ask(&stack, one), async {
        sleep(MILLI).await;
        ask(&stack, one).await
    });
    assert_eq!(first.unwrap().source(), Source::Primary);
    assert!(matches!(waiter.unwrap().source(), Source::Stale { .. }), "his time was up");
    deposits.lock().unwrap().clear();
    reads.store(true, SeqCst);
    assert_eq!(ask(&stack, one).await.unwrap().into_inner(), (2, 0), "asked at once");
}
