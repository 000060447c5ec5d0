//! Over a circuit that tells the health, with nobody who looks at the target.

use tokio::time::{Instant, advance};
use tokio_test::{assert_pending, assert_ready, task};
use tower::{Layer, ServiceExt, layer::layer_fn};
use tower_failover::{
    Backoff,
    circuit_breaker::{self, Circuit, CircuitBreakerLayer, State},
    health::{Grade, Health},
};

use super::hold;
use crate::{
    MILLISECOND, SECOND,
    backend::{Backend, Work},
    call, healthy,
};

/// A target whose circuit is open for a second.
fn opened() -> (Health, Circuit) {
    let health = healthy();
    let policy = circuit_breaker::Policy::consecutive(1).open_for(Backoff::fixed(SECOND));
    let circuit = Circuit::builder("circuit").policy(policy).observe(health.signals()).build();
    circuit.permit().unwrap().failure();
    assert_eq!((circuit.state(), health.grade()), (State::Open, Grade::Unhealthy));
    (health, circuit)
}

#[tokio::test(start_paused = true)]
async fn the_next_call_after_the_open_time_passes_and_wakes_those_who_are_held() {
    let (health, circuit) = opened();
    let backend = Backend::new(Work::Succeeds);
    let gated = layer_fn(|inner| {
        hold(&health, 10 * SECOND, 100)
            .layer(CircuitBreakerLayer::new(circuit.clone()).layer(inner))
    });
    let service = gated.layer(backend.clone());
    let mut held: Vec<_> = (0..100).map(|_| task::spawn(service.clone().oneshot(()))).collect();
    held.iter_mut().for_each(|call| assert_pending!(call.poll()));
    advance(SECOND).await;
    assert_eq!((backend.polled.get(), circuit.state()), (0, State::Open));
    assert_eq!(call(&mut service.clone()).await.unwrap(), 0, "the probe");
    for call in &mut held {
        assert!(call.is_woken());
        assert_ready!(call.poll()).unwrap();
    }
    assert_eq!((backend.called.get(), circuit.state()), (101, State::Closed));
}

#[tokio::test(start_paused = true)]
async fn a_held_call_that_is_alone_is_the_probe_when_its_limit_ends() {
    let (health, circuit) = opened();
    let backend = Backend::new(Work::Succeeds);
    let breaker = CircuitBreakerLayer::new(circuit.clone()).layer(backend.clone());
    let service = hold(&health, 2 * SECOND, 1).layer(breaker);
    let begun = Instant::now();
    service.oneshot(()).await.unwrap();
    assert!(begun.elapsed() <= 2 * SECOND + 2 * MILLISECOND, "{:?}", begun.elapsed());
    assert_eq!((backend.called.get(), circuit.state()), (1, State::Closed));
    assert_eq!(health.grade(), Grade::Healthy);
}
