//! Over a real circuit.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
use tower_failover::{
    Backoff, BoxError, CircuitBreakerLayer, FallbackLayer,
    circuit_breaker::{Circuit, Policy},
    fallback::Value,
};

fn circuit() -> Circuit {
    let open_for = Backoff::fixed(Duration::from_secs(1));
    Circuit::builder("backend").policy(Policy::consecutive(2).open_for(open_for)).build()
}

#[tokio::test(start_paused = true)]
async fn only_when_open_passes_failures_on_and_answers_refusals() {
    let circuit = circuit();
    let mut service = ServiceBuilder::new()
        .layer(FallbackLayer::new(Value::with(|| "fallback")).only_when_open())
        .layer(CircuitBreakerLayer::new(circuit))
        .service(service_fn(async |()| Err::<&str, BoxError>("down".into())));
    for _ in 0..2 {
        let error = service.ready().await.unwrap().call(()).await.unwrap_err();
        assert_eq!(error.to_string(), "down");
    }
    assert_eq!(service.ready().await.unwrap().call(()).await.unwrap(), "fallback");
}

#[tokio::test(start_paused = true)]
async fn the_fallback_answers_while_the_circuit_is_open_and_the_primary_after_it() {
    let (down, calls) = (Arc::new(AtomicU32::new(2)), Arc::new(AtomicU32::new(0)));
    let counted = calls.clone();
    let mut service = ServiceBuilder::new()
        .layer(FallbackLayer::new(Value::with(|| "fallback")).served())
        .layer(CircuitBreakerLayer::new(circuit()))
        .service(service_fn(move |()| {
            counted.fetch_add(1, SeqCst);
            let fails = down.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
            async move { if fails { Err::<_, BoxError>("down".into()) } else { Ok("primary") } }
        }));
    for _ in 0..10 {
        assert!(service.ready().await.unwrap().call(()).await.unwrap().is_fallback());
    }
    assert_eq!(calls.load(SeqCst), 2, "an open circuit is not called");
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(*service.ready().await.unwrap().call(()).await.unwrap().value(), "primary");
}

#[cfg(feature = "retry")]
#[tokio::test(start_paused = true)]
async fn a_refusal_is_not_tried_again_before_the_fallback_answers() {
    use tower_failover::fallback::Retries;

    let circuit = circuit();
    circuit.force_open();
    let start = tokio::time::Instant::now();
    let mut service = ServiceBuilder::new()
        .layer(FallbackLayer::new(Value::with(|| "fallback")).after_retries(Retries::up_to(5)))
        .layer(CircuitBreakerLayer::new(circuit))
        .service(service_fn(async |()| Ok::<_, BoxError>("primary")));
    assert_eq!(service.ready().await.unwrap().call(()).await.unwrap(), "fallback");
    assert_eq!(start.elapsed(), Duration::ZERO);
}
