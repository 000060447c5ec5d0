//! hyper's client and server on loopback.

use std::{fmt::Debug, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{
        HeaderMap, Request, Response,
        header::{CONTENT_LENGTH, RETRY_AFTER},
    },
};
use futures::{StreamExt, stream};
use http_body::{Body as HttpBody, Frame};
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::sync::Notify;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_failover::{
    Backoff, BoxError,
    circuit_breaker::{Circuit, CircuitBreakerLayer, Open, Policy, State},
    http::{AnswerRefusalsLayer, ServerErrors},
};

use crate::{
    FRAGILE, SECOND,
    axum_app::serve,
    circuit,
    port::Port,
    server::{Server, client, get, http2_client},
};

fn frames(
    frames: impl IntoIterator<Item = Result<Frame<Bytes>, BoxError>, IntoIter: Send + 'static>,
) -> Body {
    Body::new(StreamBody::new(stream::iter(frames)))
}

/// Three bytes, and the connection breaks when the test says so.
fn breaks(when: &Arc<Notify>) -> Body {
    let when = when.clone();
    let end = stream::once(async move {
        when.notified().await;
        Err::<Frame<Bytes>, BoxError>("the server breaks off".into())
    });
    Body::new(StreamBody::new(Box::pin(stream::iter([Ok(Frame::data("abc".into()))]).chain(end))))
}

/// Of ten bytes that the head promises, or of chunks without an end.
const FRAMINGS: [Option<u64>; 2] = [Some(10), None];

async fn reads_a_cut_body<S, B>(server: &Server, when: &Notify, mut service: S, circuit: &Circuit)
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>, Error = BoxError>,
    B: HttpBody<Data = Bytes, Error: Debug>,
{
    let response = service.ready().await.unwrap().call(get(server.address)).await.unwrap();
    assert_eq!(response.status(), 200);
    let mut body = Box::pin(response.into_body());
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "abc");
    assert_eq!(circuit.state(), State::Closed);
    when.notify_one();
    body.frame().await.unwrap().unwrap_err();
}

#[tokio::test]
async fn a_body_that_is_cut_is_a_failure_at_the_end_and_a_success_at_the_head() {
    for framing in FRAMINGS {
        let when = Arc::new(Notify::new());
        let server = Server::start({
            let when = when.clone();
            move |_| {
                let mut response = Response::new(breaks(&when));
                let length = framing.map(|length| (CONTENT_LENGTH, length.into()));
                response.headers_mut().extend(length);
                response
            }
        })
        .await;

        let at_end = circuit(FRAGILE);
        let layer = CircuitBreakerLayer::for_http(at_end.clone());
        reads_a_cut_body(&server, &when, layer.layer(client()), &at_end).await;
        assert_eq!(at_end.state(), State::Open);

        let at_head = circuit(FRAGILE);
        let layer = CircuitBreakerLayer::new(at_head.clone()).classify(ServerErrors::new());
        reads_a_cut_body(&server, &when, layer.layer(client()), &at_head).await;
        assert_eq!(at_head.state(), State::Closed);
        assert_eq!(server.asked(), 2);
    }
}

#[tokio::test]
async fn retry_after_lengthens_the_open_time_up_to_the_longest() {
    for (value, longest, expected) in [
        ("30", 60, 30..=30),
        ("30", 10, 10..=10),
        ("99999999999999999999999999", 10, 10..=10),
        ("soon", 60, 1..=1),
        ("-5", 60, 1..=1),
    ] {
        let server = Server::start(move |_| {
            Response::builder().status(503).header(RETRY_AFTER, value).body(Body::empty()).unwrap()
        })
        .await;
        let longest = Duration::from_secs(longest);
        let circuit = circuit(FRAGILE.longest_retry_after(longest));
        let mut service = ServiceBuilder::new()
            .layer(CircuitBreakerLayer::for_http(circuit.clone()))
            .service(client());
        let response = service.ready().await.unwrap().call(get(server.address)).await.unwrap();
        assert_eq!(response.status(), 503);
        let error = service.ready().await.unwrap().call(get(server.address)).await.err().unwrap();
        let wait = error.downcast_ref::<Open>().unwrap().retry_after().unwrap();
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        assert!(expected.contains(&seconds), "{value}: {wait:?}");
        assert_eq!(server.asked(), 1);
    }
}

#[tokio::test]
async fn trailers_are_kept() {
    let server = Server::start(|_| {
        let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), "7".parse().unwrap())]);
        Response::new(frames([Ok(Frame::data("abc".into())), Ok(Frame::trailers(trailers))]))
    })
    .await;
    let circuit = circuit(FRAGILE);
    let mut service = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::for_http(circuit.clone()))
        .service(http2_client());
    let response = service.ready().await.unwrap().call(get(server.address)).await.unwrap();
    let collected = response.into_body().collect().await.unwrap();
    assert_eq!(collected.trailers().unwrap()["x-sum"], "7");
    assert_eq!(collected.to_bytes(), "abc");
    assert_eq!(circuit.state(), State::Closed);
}

#[tokio::test]
async fn content_length_and_hints_are_kept_and_the_last_byte_is_a_success() {
    let server = Server::start(|_| Response::new(Body::from("abcdefghij"))).await;
    let circuit = circuit(Policy::consecutive(2));
    circuit.permit().unwrap().failure();
    let mut service = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::for_http(circuit.clone()))
        .service(client());
    let response = service.ready().await.unwrap().call(get(server.address)).await.unwrap();
    assert_eq!(response.headers()[CONTENT_LENGTH], "10");
    assert_eq!(response.body().size_hint().exact(), Some(10));
    assert!(!response.body().is_end_stream());
    assert_eq!(circuit.snapshot().consecutive_failures, 1);
    let mut body = response.into_body();
    let mut read = 0;
    while !body.is_end_stream() {
        read += body.frame().await.unwrap().unwrap().into_data().unwrap().len();
    }
    assert_eq!(read, 10);
    assert_eq!(circuit.snapshot().consecutive_failures, 0, "a success with the last byte");
}

#[tokio::test]
async fn a_server_that_is_gone_is_a_failure() {
    let port = Port::take();
    let address = SocketAddr::from(([127, 0, 0, 1], port.number()));
    let circuit = circuit(FRAGILE.open_for(Backoff::fixed(60 * SECOND)));
    let mut service = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::for_http(circuit.clone()))
        .service(client());
    let error = service.ready().await.unwrap().call(get(address)).await.err().unwrap();
    assert!(error.downcast_ref::<hyper_util::client::legacy::Error>().unwrap().is_connect());
    let refused = service.ready().await.unwrap().call(get(address)).await.err().unwrap();
    assert!(refused.is::<Open>());
}

/// hyper drops the body after the declared bytes, without asking whether it has ended.
#[tokio::test]
async fn a_circuit_in_a_server_closes_by_a_download_of_a_declared_length() {
    let circuit = circuit(FRAGILE.open_for(Backoff::fixed(Duration::from_nanos(1))));
    circuit.permit().unwrap().failure();
    let app = axum::Router::new()
        .fallback(async || {
            let chunks = stream::iter(["hello ", "world"].map(Ok::<_, BoxError>));
            Response::builder().header(CONTENT_LENGTH, 11).body(Body::from_stream(chunks)).unwrap()
        })
        .layer(
            ServiceBuilder::new()
                .layer(AnswerRefusalsLayer::new().infallible())
                .layer(CircuitBreakerLayer::for_http(circuit.clone())),
        );
    let address = serve(app).await;
    let response = client().request(get(address)).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello world");
    assert_eq!(circuit.state(), State::Closed);
}
