//! What circuits and connections see of a target.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use tower::{Service, ServiceBuilder, ServiceExt};
use tower_failover::{
    Backoff, BoxError, CircuitBreakerLayer,
    circuit_breaker::{Circuit, Policy},
    event::{Event, Observer},
    health::{Grade, Health, HealthGateLayer, Unhealthy},
};

use crate::support::{ANSWERS, Act, EXACT, SECOND, Ward};

fn circuit(health: &Health) -> Circuit {
    let policy = Policy::consecutive(1).open_for(Backoff::fixed(SECOND));
    Circuit::builder("redis").policy(policy).observe(health.signals()).build()
}

fn disconnected(health: &Health) {
    let error = std::io::Error::other("broken pipe");
    let event = Event::Disconnected { server: "localhost:1", error: &error, retry_after: SECOND };
    health.signals().on_event(&event);
}

fn connected(health: &Health) {
    health.signals().on_event(&Event::Connected { server: "localhost:1" });
}

#[tokio::test(start_paused = true)]
async fn without_a_monitor_a_circuit_and_a_connection_decide() {
    let health = Health::builder("passive").policy(EXACT.fall(5).rise(5)).build();
    connected(&health);
    assert_eq!(health.grade(), Grade::Healthy);
    disconnected(&health);
    assert_eq!(health.refusal().unwrap().reason(), "broken pipe");
    connected(&health);
    assert_eq!(health.grade(), Grade::Healthy);

    let circuit = circuit(&health);
    circuit.permit().unwrap().failure();
    assert_eq!(health.refusal().unwrap().reason(), "circuit redis is open");
    tokio::time::advance(SECOND).await;
    let probe = circuit.permit().unwrap();
    assert_eq!(health.grade(), Grade::Unknown, "half-open says nothing");
    probe.success();
    assert_eq!(health.grade(), Grade::Healthy);
    assert_eq!(health.history().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_a_circuit_below_its_gate_does_not_shut_it_for_good() {
    let health = Health::builder("passive").policy(EXACT.fall(1)).build();
    let circuit = circuit(&health);
    let up = Arc::new(AtomicBool::new(false));
    let is_up = up.clone();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let mut service = ServiceBuilder::new()
        .layer(HealthGateLayer::new(health.clone()))
        .layer(CircuitBreakerLayer::new(circuit))
        .service_fn(move |()| {
            counted.fetch_add(1, Ordering::Relaxed);
            let up = is_up.load(Ordering::Relaxed);
            async move { if up { Ok(()) } else { Err(BoxError::from("down")) } }
        });
    service.ready().await.unwrap().call(()).await.unwrap_err();
    for probes in 1..=3 {
        let error = service.ready().await.unwrap().call(()).await.unwrap_err();
        assert_eq!(Unhealthy::find(&*error).unwrap().retry_after(), Some(SECOND));
        assert_eq!(calls.load(Ordering::Relaxed), probes);
        tokio::time::advance(SECOND).await;
        up.store(probes == 3, Ordering::Relaxed);
        let probed = service.ready().await.unwrap().call(()).await;
        assert_eq!(probed.is_ok(), probes == 3);
        if probes < 3 {
            health.failed("seen by the caller");
        }
    }
    assert_eq!(health.grade(), Grade::Healthy);
    assert_eq!(calls.load(Ordering::Relaxed), 4);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_called_down_for_good_a_circuit_does_not_let_pass() {
    let health = Health::new("maintained");
    let circuit = circuit(&health);
    health.down("maintenance");
    circuit.permit().unwrap().failure();
    tokio::time::advance(10 * SECOND).await;
    assert_eq!(health.refusal().unwrap().reason(), "maintenance");
    health.up();
    assert!(health.refusal().is_none());

    for _ in 0..3 {
        health.failed("refused");
    }
    assert_eq!(health.refusal().unwrap().retry_after(), None, "nobody has said when");
    circuit.permit().unwrap().failure();
    assert_eq!(health.refusal().unwrap().retry_after(), Some(SECOND));
    tokio::time::advance(SECOND).await;
    assert!(health.refusal().is_none(), "that was nobody's word");
}

#[tokio::test(start_paused = true)]
async fn with_a_monitor_a_loss_counts_at_once_and_a_return_is_checked_at_once() {
    let ward = Ward::new(ANSWERS, EXACT.interval(600 * SECOND).rise(1));
    ward.checked(1).await;
    disconnected(&ward.health);
    assert_eq!(ward.health.grade(), Grade::Unhealthy);
    ward.target.now(Act::Fails);
    connected(&ward.health);
    ward.checked(1).await;
    assert_eq!(ward.health.grade(), Grade::Unhealthy, "connected, but it does not do its work");
    ward.target.now(ANSWERS);
    connected(&ward.health);
    ward.checked(1).await;
    assert_eq!(ward.health.grade(), Grade::Healthy);
    assert_eq!(ward.target.probes(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_a_hand_does_to_a_circuit_says_nothing() {
    let health = Health::new("by hand");
    let circuit = circuit(&health);
    circuit.force_open();
    circuit.force_closed();
    circuit.metrics_only();
    circuit.permit().unwrap().failure();
    assert_eq!(health.grade(), Grade::Unknown);
    assert!(health.history().is_empty());
}

#[tokio::test(start_paused = true)]
async fn signals_do_not_keep_a_target_alive_nor_want_refusals() {
    let health = Health::new("gone");
    let signals = health.signals();
    assert!(!signals.wants_refusals());
    let circuit = circuit(&health);
    drop(health);
    circuit.permit().unwrap().failure();
    assert_eq!(format!("{signals:?}"), "Signals(None)");
}
