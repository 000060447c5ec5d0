//! Refusals through a real axum server on loopback, by handler and by layer.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::{Body, Bytes},
    error_handling::HandleErrorLayer,
    http::{
        HeaderMap, Method, Request, StatusCode,
        header::{CONTENT_LENGTH, DATE, RETRY_AFTER},
    },
    routing::get,
};
use futures::stream;
use http_body_util::{BodyExt, Full};
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_failover::{
    Backoff,
    circuit_breaker::{Cancelled, Circuit, CircuitBreakerLayer, Policy, State},
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

pub(crate) async fn serve(app: Router) -> SocketAddr {
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

/// Pages whose bodies are of every kind.
fn pages() -> Router {
    let chunks = || stream::iter(["he", "llo"].map(Ok::<_, Infallible>));
    Router::new()
        .route("/whole", get(|| async { "hello" }))
        .route("/chunks", get(async move || Body::from_stream(chunks())))
        .route("/empty", get(|| async { StatusCode::NO_CONTENT }))
}

async fn guarded(circuit: &Circuit) -> SocketAddr {
    let stack = ServiceBuilder::new()
        .layer(AnswerRefusalsLayer::new().infallible())
        .layer(CircuitBreakerLayer::for_http(circuit.clone()));
    serve(pages().layer(stack)).await
}

/// The headers that a page came with, and its body.
async fn ask(
    client: &server::HyperClient,
    method: Method,
    address: SocketAddr,
    page: &str,
) -> (HeaderMap, Bytes) {
    let uri = format!("http://{address}/{page}");
    let request = Request::builder().method(method).uri(uri).body(Full::default()).unwrap();
    let (mut parts, body) = client.request(request).await.unwrap().into_parts();
    parts.headers.remove(DATE);
    (parts.headers, body.collect().await.unwrap().to_bytes())
}

#[tokio::test]
async fn a_page_that_is_served_whole_is_unchanged_and_a_success() {
    let circuit = circuit(Policy::consecutive(2));
    let (bare, guarded) = (serve(pages()).await, guarded(&circuit).await);
    let mut lengths = 0;
    for client in [server::client(), server::http2_client()] {
        for page in ["whole", "chunks", "empty"] {
            circuit.permit().unwrap().failure();
            assert_eq!(circuit.snapshot().consecutive_failures, 1);
            let expected = ask(&client, Method::GET, bare, page).await;
            assert_eq!(ask(&client, Method::GET, guarded, page).await, expected, "{page}");
            assert_eq!(circuit.snapshot().consecutive_failures, 0, "{page}");
            lengths += usize::from(expected.0.contains_key(CONTENT_LENGTH));
        }
    }
    assert!(lengths >= 2, "{lengths} pages said how long they are");
}

#[tokio::test]
async fn the_body_that_a_head_request_leaves_unread_was_cancelled() {
    for (policy, state) in [(Cancelled::Ignored, State::Closed), (Cancelled::Failure, State::Open)]
    {
        let circuit = circuit(FRAGILE.cancelled(policy));
        let address = guarded(&circuit).await;
        let (headers, _) = ask(&server::client(), Method::HEAD, address, "whole").await;
        assert_eq!(headers[CONTENT_LENGTH], "5");
        assert_eq!(circuit.state(), state);
    }
}
