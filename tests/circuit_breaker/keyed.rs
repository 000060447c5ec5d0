//! Promise 12, second half: circuits by key are made on demand, bounded, and evicted when idle.

use std::{
    num::NonZeroUsize,
    sync::{Arc, OnceLock},
    thread,
};

use tokio::time::advance;
use tower::{Layer, Service, ServiceExt};
use tower_failover::{
    BoxError,
    circuit_breaker::{Circuit, CircuitBreakerLayer, Circuits, Open, Policy, State},
    event::{Event, Observer},
};

use crate::{
    FRAGILE, SECOND,
    backend::{Backend, Count, Work},
    fail, watched,
};

fn circuits(capacity: usize) -> Circuits<usize> {
    let policy = FRAGILE.open_for(tower_failover::Backoff::fixed(3_600 * SECOND));
    Circuits::new(move |key| Circuit::builder(format!("host {key}")).policy(policy))
        .capacity(NonZeroUsize::new(capacity).unwrap())
        .idle_for(60 * SECOND)
}

#[tokio::test(start_paused = true)]
async fn promise_12_a_circuit_of_a_key_is_made_on_demand_and_stays() {
    let circuits = circuits(10);
    assert!(circuits.is_empty() && circuits.peek(&1).is_none());
    assert_eq!(circuits.get(&1).name(), "host 1");
    fail(&circuits.get(&1));
    assert_eq!(circuits.clone().get(&1).state(), State::Open, "a clone shares the circuits");
    assert_eq!(circuits.get(&2).state(), State::Closed, "another key has another circuit");
    assert_eq!(circuits.len(), 2);
    let mut keys: Vec<_> = circuits.all().into_iter().map(|(key, _)| key).collect();
    keys.sort_unstable();
    assert_eq!(keys, [1, 2]);
    assert_eq!(circuits.remove(&1).unwrap().state(), State::Open);
    assert!(circuits.peek(&1).is_none());
}

#[tokio::test(start_paused = true)]
async fn promise_12_a_layer_guards_each_request_by_the_circuit_of_its_key() {
    let circuits = circuits(10);
    let backend = Backend::new(Work::Fails);
    let layer = CircuitBreakerLayer::keyed(circuits.clone(), |host: &usize| *host);
    let mut service = layer.layer(backend.clone().map_request(|_: usize| ()));
    let mut ask =
        async |host: usize| -> Result<usize, BoxError> { service.ready().await?.call(host).await };
    assert!(!ask(1).await.unwrap_err().is::<Open>());
    assert_eq!(ask(1).await.unwrap_err().downcast_ref::<Open>().unwrap().circuit(), "host 1");
    backend.now(Work::Succeeds);
    ask(2).await.unwrap();
    assert!(ask(1).await.unwrap_err().is::<Open>());
    assert_eq!(backend.called.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn promise_12_200_000_keys_keep_no_more_than_the_capacity() {
    let circuits = circuits(100);
    for key in 0..if cfg!(debug_assertions) { 20_000 } else { 200_000 } {
        let _ = circuits.get(&key);
        assert!(circuits.len() <= 100);
    }
    // A scan of the full map makes room for a sixteenth of it.
    let len = circuits.len();
    assert!((94..=100).contains(&len), "{len}");
}

#[tokio::test(start_paused = true)]
async fn promise_12_who_was_unused_longest_goes_first() {
    let circuits = circuits(3);
    for key in [1, 2, 3, 1, 2] {
        let _ = circuits.get(&key);
        advance(SECOND).await;
    }
    let _ = circuits.get(&4);
    assert!(circuits.peek(&3).is_none());
    assert!([1, 2, 4].iter().all(|key| circuits.peek(key).is_some()));
}

#[tokio::test(start_paused = true)]
async fn promise_12_an_open_circuit_does_not_go_while_a_closed_one_could() {
    let circuits = circuits(3);
    fail(&circuits.get(&1));
    advance(SECOND).await;
    for key in 2..1_000 {
        let _ = circuits.get(&key);
        advance(SECOND / 100).await;
        assert_eq!(circuits.peek(&1).map(|c| c.state()), Some(State::Open), "at key {key}");
        assert!(circuits.len() <= 3);
    }
}

#[tokio::test(start_paused = true)]
async fn promise_12_an_idle_circuit_goes_and_one_that_is_held_or_used_stays() {
    let circuits = circuits(10);
    let held = circuits.get(&1);
    let (_, _) = (circuits.get(&2), circuits.get(&3));
    advance(59 * SECOND).await;
    let _ = circuits.get(&3);
    circuits.sweep();
    assert_eq!(circuits.len(), 3);
    advance(SECOND).await;
    circuits.sweep();
    assert!(circuits.peek(&2).is_none(), "idle");
    assert!(circuits.peek(&3).is_some(), "used");
    fail(&held);
    assert_eq!(circuits.get(&1).state(), State::Open, "held");
}

#[tokio::test(start_paused = true)]
async fn promise_12_a_circuit_that_is_open_or_forced_is_not_forgotten_for_being_idle() {
    let circuits = circuits(10);
    fail(&circuits.get(&1));
    circuits.get(&2).force_open();
    circuits.get(&3).force_closed();
    circuits.get(&4).force_open_for(3_600 * SECOND);
    let _ = circuits.get(&5);
    advance(600 * SECOND).await;
    circuits.sweep();
    let state = |key| circuits.peek(&key).map(|circuit| circuit.state());
    assert_eq!(state(1), Some(State::Open), "for another 50 minutes");
    assert_eq!(state(2), Some(State::ForcedOpen), "a forced state lasts until it is released");
    assert_eq!(state(3), Some(State::ForcedClosed));
    assert_eq!(state(4), Some(State::ForcedOpen));
    assert_eq!(state(5), None);
    // What had its end may go.
    advance(3_600 * SECOND).await;
    circuits.sweep();
    assert_eq!((state(1), state(4)), (None, None));
    assert_eq!(circuits.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn promise_12_a_forced_circuit_goes_last_of_all() {
    let circuits = circuits(3);
    circuits.get(&1).force_open();
    advance(SECOND).await;
    for key in 2..100 {
        fail(&circuits.get(&key));
        advance(SECOND / 100).await;
        assert_eq!(circuits.peek(&1).map(|c| c.state()), Some(State::ForcedOpen), "at key {key}");
        assert!(circuits.len() <= 3);
    }
}

/// Looks at all circuits when it is dropped, as one does that takes its gauge out of a registry.
struct Farewell(Arc<OnceLock<Circuits<usize>>>, Count);

impl Observer for Farewell {
    fn on_event(&self, _: &Event<'_>) {}
}

impl Drop for Farewell {
    fn drop(&mut self) {
        if let Some(circuits) = self.0.get() {
            let _ = (circuits.len(), circuits.all());
            self.1.add();
        }
    }
}

#[test]
fn promise_12_an_observer_may_use_the_circuits_while_it_is_dropped() {
    watched(|| async {
        let all = Arc::new(OnceLock::<Circuits<usize>>::new());
        let (seen, dropped) = (all.clone(), Count::default());
        let count = dropped.clone();
        let circuits = Circuits::new(move |key: &usize| {
            // Whoever asks for 7 finds, when he is back, that another has made it: his is in vain.
            if let (7, Some(circuits)) = (*key, seen.get())
                && circuits.peek(&7).is_none()
                && circuits.peek(&1_007).is_none()
            {
                let _ = circuits.get(&1_007);
                let _ = circuits.get(&7);
            }
            Circuit::builder("host").observe(Farewell(seen.clone(), count.clone()))
        })
        .capacity(NonZeroUsize::new(4).unwrap());
        let _ = all.set(circuits.clone());
        let _ = circuits.get(&7);
        assert_eq!(dropped.get(), 1, "one was made in vain");
        for key in 10..20 {
            let _ = circuits.get(&key);
        }
        assert!(dropped.get() > 5, "evicted: {}", dropped.get());
        circuits.remove(&19);
        let before = dropped.get();
        advance(600 * SECOND).await;
        circuits.sweep();
        assert!(circuits.is_empty() && dropped.get() > before, "idle");
    });
}

#[test]
fn promise_12_the_bounds_belong_to_the_circuits_and_not_to_a_handle() {
    let circuits = circuits(100);
    let other = circuits.clone().capacity(NonZeroUsize::new(2).unwrap());
    for key in 0..10 {
        let _ = circuits.get(&key);
    }
    assert_eq!((circuits.len(), other.len()), (2, 2));
}

#[test]
fn promise_12_an_observer_may_use_the_circuits_while_one_is_evicted() {
    watched(|| async {
        let told = Count::default();
        let count = told.clone();
        let all = Arc::new(OnceLock::<Circuits<usize>>::new());
        let seen = all.clone();
        let circuits = Circuits::new(move |_: &usize| {
            let (seen, count) = (seen.clone(), count.clone());
            Circuit::builder("host").policy(Policy::new()).observe(move |_: &Event<'_>| {
                count.add();
                if let Some(circuits) = seen.get() {
                    let _ = (circuits.len(), circuits.all());
                    let _ = circuits.get(&1_000);
                }
            })
        })
        .capacity(NonZeroUsize::new(2).unwrap());
        let _ = all.set(circuits.clone());
        for key in 0..10 {
            circuits.get(&key).force_open_for(SECOND);
            advance(SECOND).await;
            // Looking for one to evict, the map may find that its forced time is over.
            let _ = circuits.get(&(key + 1));
            circuits.sweep();
        }
        assert!(told.get() >= 10);
    });
}

#[test]
fn promise_12_one_key_asked_for_on_many_threads_has_one_circuit() {
    for _ in 0..100 {
        let circuits = circuits(10);
        let handles: Vec<_> = thread::scope(|scope| {
            let asking: Vec<_> = (0..4).map(|_| scope.spawn(|| circuits.get(&1))).collect();
            asking.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        handles[0].force_open();
        assert!(handles.iter().all(|circuit| circuit.state() == State::ForcedOpen));
        assert_eq!(circuits.len(), 1);
    }
}
