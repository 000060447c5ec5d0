use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};

use tokio::time::{advance, sleep};
use tokio_test::task;
use tower_failover::fallback::cached::{Cache, Cached};

use crate::support::{NANO, Origin, SECOND, ask, begin, by_hand, by_name, terms};

#[tokio::test(start_paused = true)]
async fn promise_6_a_sweep_drops_what_is_past_its_end_and_nothing_else() {
    let cache = Cache::<u32, u32>::builder("numbers").build().0;
    for key in 0..1_000 {
        cache.insert(key, key, terms().age(if key % 2 == 0 { SECOND } else { Duration::ZERO }));
    }
    advance(14 * SECOND - NANO).await;
    cache.sweep();
    assert_eq!(cache.len(), 1_000);
    advance(NANO).await;
    assert_eq!(cache.len(), 1_000, "not swept yet");
    cache.sweep();
    assert_eq!(cache.len(), 500);
    assert!(cache.get(&1).is_some() && cache.get(&0).is_none());
    advance(SECOND).await;
    cache.sweep();
    assert!(cache.is_empty());
}

#[tokio::test(start_paused = true)]
async fn promise_6_upkeep_sweeps_at_its_interval() {
    let (cache, upkeep) =
        Cache::<u32, Arc<u32>>::builder("numbers").sweep_every(20 * SECOND).build();
    let task = tokio::spawn(upkeep);
    let value = Arc::new(7);
    for round in 0..5 {
        for key in 0..100 {
            cache.insert(key, value.clone(), terms());
        }
        sleep(19 * SECOND).await;
        assert_eq!(cache.len(), 100, "round {round}");
        sleep(SECOND + SECOND / 100).await;
        assert!(cache.is_empty(), "round {round}");
        assert_eq!(Arc::strong_count(&value), 1, "what was swept is dropped");
    }
    assert!(!task.is_finished());
}

#[tokio::test(start_paused = true)]
async fn promise_6_upkeep_ends_with_the_last_handle() {
    let (cache, upkeep) = Cache::builder("names").build();
    let mut upkeep = task::spawn(upkeep);
    assert!(upkeep.poll().is_pending());

    let clone = cache.clone();
    let strategy = Cached::new(cache, by_name).terms(terms());
    let (mut service, mut backend) = by_hand(strategy.clone());
    let (call, respond) = begin(&mut service, &mut backend, "a").await;
    drop((clone, strategy, service));
    assert!(!upkeep.is_woken() && upkeep.poll().is_pending(), "a call is still on its way");
    respond.send_response("A");
    call.await.unwrap();
    assert!(upkeep.is_woken());
    assert!(upkeep.poll().is_ready());
}

#[tokio::test(start_paused = true)]
async fn promise_6_upkeep_does_not_keep_the_entries_of_a_dropped_cache() {
    let value = Arc::new(7);
    let (cache, upkeep) = Cache::<u32, Arc<u32>>::builder("numbers").build();
    let mut upkeep = task::spawn(upkeep);
    assert!(upkeep.poll().is_pending());
    cache.insert(1, value.clone(), terms());
    assert_eq!(Arc::strong_count(&value), 2);
    drop(cache);
    assert_eq!(Arc::strong_count(&value), 1);
    assert!(upkeep.poll().is_ready());
}

#[tokio::test(start_paused = true)]
async fn promise_6_spawned_upkeep_ends_too() {
    let cache = Cache::<u32, u32>::builder("numbers").sweep_every(SECOND).spawn();
    let metrics = tokio::runtime::Handle::current().metrics();
    assert_eq!(metrics.num_alive_tasks(), 1);
    cache.insert(1, 1, terms());
    sleep(17 * SECOND).await;
    assert!(cache.is_empty());
    drop(cache);
    let mut turns = 0;
    poll_fn(|cx| {
        turns += 1;
        cx.waker().wake_by_ref();
        if metrics.num_alive_tasks() == 0 || turns == 100 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    assert_eq!(metrics.num_alive_tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn promise_6_without_its_upkeep_a_cache_answers_and_is_bounded() {
    let (cache, upkeep) = Cache::builder("names").max_entries(2).build();
    drop(upkeep);
    let origin = Origin::saying(|| Ok("A"));
    let service = origin.behind(Cached::new(cache.clone(), by_name).terms(terms()));
    for request in ["a", "b", "c", "d", "c", "d"] {
        ask(&service, request).await.unwrap();
        assert!(cache.len() <= 2);
    }
    assert!(origin.calls() >= 4);
}
