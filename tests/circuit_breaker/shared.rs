//! Promise 12, first half: one circuit serves any number of services, layers and clones.

use std::{io, thread};

use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_failover::{
    BoxError,
    circuit_breaker::{Circuit, CircuitBreaker, CircuitBreakerLayer, Open, Policy, State},
};

use crate::{
    FRAGILE,
    backend::{Backend, Work},
    call, circuit, refusal,
};

#[tokio::test(start_paused = true)]
async fn promise_12_one_circuit_counts_for_services_layers_and_clones() {
    let circuit = circuit(Policy::consecutive(6));
    let backend = Backend::new(Work::Fails);
    let layer = CircuitBreakerLayer::new(circuit.clone());
    let mut one = layer.layer(backend.clone());
    let mut two = layer.clone().layer(backend.clone());
    let mut three = CircuitBreakerLayer::new(circuit.clone()).layer(backend.clone());
    let mut four = CircuitBreaker::new(backend.clone(), circuit.clone());
    let mut clone = one.clone();
    for service in [&mut one, &mut two, &mut three, &mut four, &mut clone] {
        call(service).await.unwrap_err();
        assert_eq!(circuit.state(), State::Closed);
    }
    circuit.clone().permit().unwrap().failure();
    for service in [&mut one, &mut two, &mut three, &mut four, &mut clone] {
        assert!(refusal(&call(service).await).is_some());
    }
    assert_eq!(backend.called.get(), 5);
}

#[tokio::test(start_paused = true)]
async fn promise_12_one_circuit_serves_services_of_different_types() {
    let circuit = circuit(FRAGILE);
    let numbers = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::new(circuit.clone()))
        .service(service_fn(async |_: u64| Err::<u64, _>(io::Error::other("down"))));
    let words = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::new(circuit.clone()))
        .service(service_fn(async |word: String| Ok::<_, BoxError>(word)));
    assert_eq!(words.clone().oneshot("hello".to_owned()).await.unwrap(), "hello");
    assert!(numbers.clone().oneshot(1).await.unwrap_err().is::<io::Error>(), "unchanged");
    assert!(words.oneshot("hello".to_owned()).await.unwrap_err().is::<Open>());
    assert!(numbers.oneshot(1).await.unwrap_err().is::<Open>());
}

#[tokio::test(start_paused = true)]
async fn promise_12_the_circuit_is_its_handles_however_services_come_and_go() {
    let circuit = circuit(Policy::consecutive(100));
    for _ in 0..100 {
        let layer = CircuitBreakerLayer::new(circuit.clone());
        call(&mut layer.layer(Backend::new(Work::Fails))).await.unwrap_err();
    }
    assert_eq!(circuit.state(), State::Open);
}

#[test]
fn promise_12_circuits_do_not_get_mixed_up_when_they_come_and_go_on_many_threads() {
    thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                for n in 0..2_000 {
                    let name = format!("{thread}/{n}");
                    let circuit =
                        Circuit::builder(name.clone()).policy(Policy::consecutive(2)).build();
                    assert_eq!(circuit.state(), State::Closed);
                    assert_eq!(circuit.snapshot().consecutive_failures, 0);
                    let straggler = circuit.permit().unwrap();
                    crate::fail(&circuit);
                    crate::fail(&circuit);
                    assert_eq!(circuit.permit().unwrap_err().circuit(), name);
                    drop(circuit);
                    straggler.failure();
                }
            });
        }
    });
}
