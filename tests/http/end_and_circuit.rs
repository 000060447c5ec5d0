//! What the end of a body means to a circuit: time, probes, cancellation.

use axum::http::{Request, Response};
use futures::FutureExt;
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::advance;
use tower::{Service, ServiceExt};
use tower_failover::{
    BoxError, Ratio,
    circuit_breaker::{Cancelled, Circuit, CircuitBreakerLayer, Open, Policy, Rate, State, Window},
    http::ServerErrors,
};

use crate::{
    FRAGILE, SECOND,
    body::{
        Script,
        Step::{Data, Hangs},
    },
    circuit, half_opened,
};

type Bytes = axum::body::Bytes;

async fn call(
    circuit: &Circuit,
    body: Script,
) -> Result<Response<impl Body<Data = Bytes, Error = BoxError> + use<>>, BoxError> {
    let mut service = tower::ServiceBuilder::new()
        .layer(CircuitBreakerLayer::for_http(circuit.clone()))
        .service_fn(move |_: Request<()>| {
            std::future::ready(Ok::<_, BoxError>(Response::new(body.clone())))
        });
    service.ready().await?.call(Request::new(())).await
}

/// Reads a frame and lets a second pass.
async fn read_slowly(response: Response<impl Body<Data = Bytes, Error = BoxError>>) {
    let mut body = Box::pin(response.into_body());
    while body.frame().await.is_some() {
        advance(SECOND).await;
    }
}

fn slow_opens() -> Policy {
    let rate = Rate::new(Ratio::percent(100), Window::Calls(1)).min_calls(1);
    Policy::manual().slow_calls(2 * SECOND, rate)
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_is_timed_to_its_end() {
    let slow = circuit(slow_opens());
    read_slowly(call(&slow, Script::of([Data("a"), Data("b"), Data("c")])).await.unwrap()).await;
    assert_eq!(slow.state(), State::Open);

    let fast = circuit(slow_opens());
    read_slowly(call(&fast, Script::of([Data("a")])).await.unwrap()).await;
    assert_eq!(fast.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn at_the_head_a_slow_body_is_not_timed() {
    let circuit = circuit(slow_opens());
    let mut service = tower::ServiceBuilder::new()
        .layer(CircuitBreakerLayer::new(circuit.clone()).classify(ServerErrors::new()))
        .service_fn(async |_: Request<()>| {
            Ok::<_, BoxError>(Response::new(Script::of([Data("a"), Data("b"), Data("c")])))
        });
    read_slowly(service.ready().await.unwrap().call(Request::new(())).await.unwrap()).await;
    assert_eq!(circuit.state(), State::Closed);
    assert_eq!(circuit.snapshot().consecutive_failures, 0);
}

#[tokio::test(start_paused = true)]
async fn a_probe_closes_the_circuit_at_the_end_of_its_body() {
    let circuit = half_opened(FRAGILE).await;
    let response = call(&circuit, Script::of([Data("a")])).await.unwrap();
    assert_eq!(circuit.state(), State::HalfOpen);
    assert!(call(&circuit, Script::of([])).await.err().unwrap().is::<Open>());
    response.into_body().collect().await.unwrap();
    assert_eq!(circuit.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_probe_whose_body_never_ends_is_overtaken_by_its_deadline() {
    let circuit = half_opened(FRAGILE.probe_deadline(5 * SECOND)).await;
    let response = call(&circuit, Script::of([Data("a"), Hangs])).await.unwrap();
    let mut body = Box::pin(response.into_body());
    body.frame().await.unwrap().unwrap();
    assert!(body.frame().now_or_never().is_none());
    assert_eq!(circuit.snapshot().probes_in_flight, 1);

    advance(4 * SECOND).await;
    assert!(call(&circuit, Script::of([])).await.err().unwrap().is::<Open>());
    assert_eq!(circuit.state(), State::HalfOpen);
    advance(SECOND).await;
    assert_eq!(circuit.state(), State::Open);
    advance(SECOND).await;
    let probe = call(&circuit, Script::of([])).await.unwrap();
    probe.into_body().collect().await.unwrap();
    assert_eq!(circuit.state(), State::Closed);
    drop(body);
    assert_eq!(circuit.state(), State::Closed, "what came late changes nothing");
}

#[tokio::test(start_paused = true)]
async fn a_probe_whose_body_is_dropped_frees_its_place() {
    let circuit = half_opened(FRAGILE).await;
    for _ in 0..3 {
        let response = call(&circuit, Script::of([Data("a"), Hangs])).await.unwrap();
        assert_eq!(circuit.snapshot().probes_in_flight, 1);
        drop(response);
        assert_eq!(circuit.snapshot().probes_in_flight, 0);
    }
    assert_eq!(circuit.state(), State::HalfOpen);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_dropped_half_way_follows_the_policy() {
    for (policy, opens) in [
        (Cancelled::Ignored, false),
        (Cancelled::Failure, true),
        (Cancelled::FailureAfter(2 * SECOND), false),
        (Cancelled::FailureAfter(SECOND), true),
    ] {
        let circuit = circuit(FRAGILE.cancelled(policy));
        let response = call(&circuit, Script::of([Data("a"), Hangs])).await.unwrap();
        let mut body = Box::pin(response.into_body());
        body.frame().await.unwrap().unwrap();
        advance(SECOND).await;
        assert_eq!(circuit.state(), State::Closed);
        drop(body);
        assert_eq!(circuit.state() == State::Open, opens, "{policy:?}");
    }
}
