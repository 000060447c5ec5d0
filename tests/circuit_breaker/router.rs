//! Promise 13: works under `axum::Router::layer`, which applies its layers for every request.

use std::convert::Infallible;

use axum::{
    Router,
    body::Body,
    error_handling::HandleErrorLayer,
    http::{HeaderName, Request, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::time::advance;
use tower::{ServiceBuilder, ServiceExt};
use tower_failover::{
    BoxError, Outcome,
    circuit_breaker::{Circuit, CircuitBreakerLayer, Open, Policy, State},
};

use crate::{FRAGILE, SECOND, backend::Count, circuit};

fn server_errors(result: &Result<Response, Infallible>) -> Outcome {
    match result {
        Ok(response) if response.status().is_server_error() => Outcome::Failure,
        Ok(_) | Err(_) => Outcome::Success,
    }
}

async fn unavailable(error: BoxError) -> impl IntoResponse {
    let open = error.downcast_ref::<Open>().expect("a refusal");
    let wait = open.retry_after().map_or(0, |wait| wait.as_secs());
    let header: [(HeaderName, String); 1] = [(RETRY_AFTER, wait.to_string())];
    (StatusCode::SERVICE_UNAVAILABLE, header, open.to_string())
}

fn router(circuit: &Circuit, ran: &Count, status: StatusCode) -> Router {
    let ran = ran.clone();
    Router::new()
        .route(
            "/",
            get(async move || {
                ran.add();
                status
            }),
        )
        .layer(
            ServiceBuilder::new()
                .layer(HandleErrorLayer::new(unavailable))
                .layer(CircuitBreakerLayer::new(circuit.clone()).classify(server_errors)),
        )
}

async fn ask(router: &Router) -> Response {
    router.clone().oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn promise_13_a_handler_that_always_fails_is_refused_under_router_layer() {
    let circuit = circuit(Policy::consecutive(3).open_for(FRAGILE_OPEN));
    let ran = Count::default();
    let router = router(&circuit, &ran, StatusCode::INTERNAL_SERVER_ERROR);
    for n in 0..100 {
        let response = ask(&router).await;
        let expected = match n {
            0..3 => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        assert_eq!(response.status(), expected, "request {n}");
        assert_eq!(response.headers().contains_key(RETRY_AFTER), n >= 3);
    }
    assert_eq!(ran.get(), 3);
    assert_eq!(circuit.state(), State::Open);
    advance(SECOND).await;
    assert_eq!(ask(&router).await.status(), StatusCode::INTERNAL_SERVER_ERROR, "the probe");
    assert_eq!(ran.get(), 4);
}

const FRAGILE_OPEN: tower_failover::Backoff = tower_failover::Backoff::fixed(SECOND);

#[tokio::test(start_paused = true)]
async fn promise_13_one_circuit_guards_several_routers_and_lets_good_answers_pass() {
    let circuit = circuit(FRAGILE);
    let (good, bad) = (Count::default(), Count::default());
    let good_router = router(&circuit, &good, StatusCode::NOT_FOUND);
    let bad_router = router(&circuit, &bad, StatusCode::BAD_GATEWAY);
    for _ in 0..100 {
        assert_eq!(ask(&good_router).await.status(), StatusCode::NOT_FOUND);
    }
    assert_eq!(ask(&bad_router).await.status(), StatusCode::BAD_GATEWAY);
    for router in [&good_router, &bad_router] {
        assert_eq!(ask(router).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
    assert_eq!((good.get(), bad.get()), (100, 1));
}
