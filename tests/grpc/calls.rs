//! Calls over a real connection: each counts as what its status says, wherever that stands.

use axum::http::Request;
use futures::{StreamExt, stream};
use tonic::{Code, Status, body::Body, service::Routes};
use tower::Layer;
use tower_failover::{
    circuit_breaker::{Circuit, CircuitBreakerLayer, Circuits, Policy, State},
    grpc::{Codes, at_end},
};

use crate::{
    FRAGILE, circuit, pair,
    support::{Answer, WordClient, WordServer, Words, messages},
};

/// Answers as the word asks.
fn answer(word: String) -> Answer {
    match word.as_str() {
        "hello" => messages([Ok("hel"), Ok("lo")]),
        "trailers" => messages([Ok("hel"), Err(Status::unavailable("in trailers"))]),
        "headers" => Err(Status::unavailable("in headers")),
        "own" => messages([Ok("hel"), Err(Status::not_found("no such word"))]),
        "own in headers" => Err(Status::invalid_argument("not a word")),
        "endless" => Ok(stream::iter([Ok("hel".to_owned())]).chain(stream::pending()).boxed()),
        _ => panic!("not asked by any test"),
    }
}

#[tokio::test]
async fn a_stream_that_ends_with_a_failure_in_its_trailers_is_one() {
    let circuit = circuit(FRAGILE);
    let (words, _server, mut client) = pair(&circuit, answer);
    let mut stream = client.list("trailers").await.unwrap();
    assert_eq!(stream.message().await.unwrap().unwrap(), "hel");
    assert_eq!(circuit.state(), State::Closed, "the head was good");
    assert_eq!(stream.message().await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(circuit.state(), State::Open);
    assert_eq!(words.calls(), 1);
}

#[tokio::test]
async fn a_failure_in_the_headers_is_one_in_unary_calls_and_in_streams() {
    for unary in [true, false] {
        let circuit = circuit(FRAGILE);
        let (words, _server, mut client) = pair(&circuit, answer);
        let status = match unary {
            true => client.say("headers").await.unwrap_err(),
            false => client.list("headers").await.err().unwrap(),
        };
        assert_eq!((status.code(), status.message()), (Code::Unavailable, "in headers"));
        assert_eq!(circuit.state(), State::Open);
        assert_eq!(words.calls(), 1);
    }
}

#[tokio::test]
async fn calls_that_end_well_are_successes() {
    let circuit = circuit(Policy::consecutive(2));
    let (words, _server, mut client) = pair(&circuit, answer);
    circuit.permit().unwrap().failure();
    assert_eq!(client.say("hello").await.unwrap(), "hel");
    assert_eq!(circuit.snapshot().consecutive_failures, 0);

    circuit.permit().unwrap().failure();
    let mut stream = client.list("hello").await.unwrap();
    for expected in ["hel", "lo"] {
        assert_eq!(stream.message().await.unwrap().unwrap(), expected);
        assert_eq!(circuit.snapshot().consecutive_failures, 1, "not ended yet");
    }
    assert_eq!(stream.message().await.unwrap(), None);
    assert_eq!(circuit.snapshot().consecutive_failures, 0);
    assert_eq!(words.calls(), 2);
}

#[tokio::test]
async fn a_code_of_the_callers_own_is_a_success() {
    let circuit = circuit(Policy::consecutive(2));
    let (words, _server, mut client) = pair(&circuit, answer);
    circuit.permit().unwrap().failure();
    assert_eq!(client.say("own in headers").await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(circuit.snapshot().consecutive_failures, 0);

    circuit.permit().unwrap().failure();
    let mut stream = client.list("own").await.unwrap();
    stream.message().await.unwrap().unwrap();
    assert_eq!(stream.message().await.unwrap_err().code(), Code::NotFound);
    assert_eq!(circuit.snapshot().consecutive_failures, 0);
    assert_eq!(words.calls(), 2);
}

#[tokio::test]
async fn a_connection_that_breaks_in_mid_stream_is_a_failure() {
    let circuit = circuit(FRAGILE);
    let (words, mut server, mut client) = pair(&circuit, answer);
    let mut stream = client.list("endless").await.unwrap();
    assert_eq!(stream.message().await.unwrap().unwrap(), "hel");
    assert_eq!(circuit.state(), State::Closed);
    server.stop();
    stream.message().await.unwrap_err();
    assert_eq!(circuit.state(), State::Open);
    assert_eq!(words.calls(), 1);
}

#[tokio::test]
async fn a_server_that_is_gone_is_a_failure() {
    let circuit = circuit(FRAGILE);
    let (words, mut server, mut client) = pair(&circuit, answer);
    assert_eq!(client.say("hello").await.unwrap(), "hel");
    server.stop();
    client.say("hello").await.unwrap_err();
    assert_eq!(circuit.state(), State::Open);
    assert_eq!(words.calls(), 1);
}

#[tokio::test]
async fn a_code_may_be_made_a_failure_or_none() {
    for (codes, opens) in [
        (Codes::new(), false),
        (Codes::new().failure(Code::ResourceExhausted), true),
        (Codes::new().failure(Code::ResourceExhausted).success(Code::ResourceExhausted), false),
    ] {
        let circuit = circuit(FRAGILE);
        let words = Words::new(|_| messages([Ok("hel"), Err(Status::resource_exhausted("quota"))]));
        let server = WordServer::start(Routes::new(words.clone()));
        let layer = CircuitBreakerLayer::new(circuit.clone()).settle(at_end(codes));
        let mut client = WordClient::new(layer.layer(server.channel()));
        let mut stream = client.list("word").await.unwrap();
        stream.message().await.unwrap().unwrap();
        assert_eq!(stream.message().await.unwrap_err().code(), Code::ResourceExhausted);
        assert_eq!(circuit.state() == State::Open, opens, "{codes:?}");
        assert_eq!(words.calls(), 1);
    }
}

#[tokio::test]
async fn each_method_may_have_a_circuit_of_its_own() {
    let words = Words::new(answer);
    let server = WordServer::start(Routes::new(words.clone()));
    let circuits = Circuits::new(|path: &String| Circuit::builder(path.clone()).policy(FRAGILE));
    let path = |request: &Request<Body>| request.uri().path().to_owned();
    let layer = CircuitBreakerLayer::keyed_for_grpc(circuits.clone(), path);
    let mut client = WordClient::new(layer.layer(server.channel()));
    client.say("headers").await.unwrap_err();
    let mut stream = client.list("hello").await.unwrap();
    while stream.message().await.unwrap().is_some() {}
    assert!(client.say("hello").await.unwrap_err().to_string().contains("is open"));
    let state = |path: &str| circuits.peek(&path.to_owned()).unwrap().state();
    assert_eq!(state("/words.Words/Say"), State::Open);
    assert_eq!(state("/words.Words/List"), State::Closed);
    assert_eq!((circuits.len(), words.calls()), (2, 2));
}
