//! Refusals through a real axum server on loopback, by handler and by layer.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    error_handling::HandleErrorLayer,
    http::{
        StatusCode,
        header::{CONTENT_LENGTH, RETRY_AFTER},
    },
    routing::get,
};
use http_body_util::BodyExt;
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_failover::{
    Backoff,
    circuit_breaker::{Circuit, CircuitBreakerLayer, State},
    http::{AnswerRefusalsLayer, handle_error},
};

use crate::{FRAGILE, NAME, SECOND, circuit, server};

/// A route that fails once and would then answer; how often it ran.
fn route(ran: &Arc<AtomicUsize>) -> Router {
    let ran = ran.clone();
    let handler = async move || match ran.fetch_add(1, Ordering::SeqCst) {
        0 => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::OK,
    };
    Router::new().route("/", get(handler))
}

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

async fn refuses_after_a_failure(app: Router, circuit: &Circuit, ran: &AtomicUsize) {
    let address = serve(app).await;
    let client = server::client();
    let failed = client.request(server::get(address)).await.unwrap();
    assert_eq!(failed.status(), StatusCode::INTERNAL_SERVER_ERROR);
    failed.into_body().collect().await.unwrap();
    assert_eq!(circuit.state(), State::Open);

    let refused = client.request(server::get(address)).await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()[RETRY_AFTER], "60");
    assert_eq!(refused.headers()[CONTENT_LENGTH], "0");
    assert!(!format!("{refused:?}").contains(NAME));
    assert!(refused.into_body().collect().await.unwrap().to_bytes().is_empty());
    assert_eq!(ran.load(Ordering::SeqCst), 1);

    circuit.force_open();
    let shut = client.request(server::get(address)).await.unwrap();
    assert_eq!(shut.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(!shut.headers().contains_key(RETRY_AFTER));

    circuit.release();
    let served = client.request(server::get(address)).await.unwrap();
    assert_eq!(served.status(), StatusCode::OK);
    assert_eq!(ran.load(Ordering::SeqCst), 2);
}

fn long() -> Circuit {
    circuit(FRAGILE.open_for(Backoff::fixed(60 * SECOND)))
}

#[tokio::test]
async fn the_handler_answers_under_router_layer() {
    let (circuit, ran) = (long(), Arc::default());
    let stack = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(handle_error))
        .layer(CircuitBreakerLayer::for_http(circuit.clone()));
    refuses_after_a_failure(route(&ran).layer(stack), &circuit, &ran).await;
}

#[tokio::test]
async fn the_layer_answers_under_router_layer() {
    let (circuit, ran) = (long(), Arc::default());
    let stack = ServiceBuilder::new()
        .layer(AnswerRefusalsLayer::new().infallible())
        .layer(CircuitBreakerLayer::for_http(circuit.clone()));
    refuses_after_a_failure(route(&ran).layer(stack), &circuit, &ran).await;
}

#[tokio::test]
async fn the_layer_answers_under_route_layer() {
    let (circuit, ran) = (long(), Arc::default());
    let stack = ServiceBuilder::new()
        .layer(AnswerRefusalsLayer::new().infallible())
        .layer(CircuitBreakerLayer::for_http(circuit.clone()));
    refuses_after_a_failure(route(&ran).route_layer(stack), &circuit, &ran).await;
}
