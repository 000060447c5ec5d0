//! Refused calls end in a status that says when to come back, on clients and on servers.

use std::{error::Error, fmt, time::Duration};

use tokio::time::advance;
use tonic::{Code, Status, service::Routes, transport::Server};
use tonic_types::StatusExt;
use tower::{Layer, ServiceBuilder, ServiceExt, buffer::Buffer};
use tower_failover::{
    Backoff, BoxError, Ratio,
    circuit_breaker::{CircuitBreakerLayer, Open, State},
    failover::{Backend, Failover, NoBackend},
    fallback::{
        BudgetLayer,
        cached::{Cache, Cached, CoalesceLayer, FailedResponse, LeftAlone, Terms},
    },
    grpc::refusal,
    health::{Health, Policy, Unhealthy},
    http::{Answer, AnswerRefusalsLayer},
};

use crate::{
    FRAGILE, NAME, SECOND, boxed, circuit,
    support::{Answer as Said, WordClient, WordServer, Words, messages},
};

const PUSHBACK: &str = "grpc-retry-pushback-ms";

fn open_for(wait: Duration) -> Open {
    let circuit = circuit(FRAGILE);
    circuit.force_open_for(wait);
    circuit.permit().unwrap_err()
}

fn pushback(status: &Status) -> Option<&str> {
    status.metadata().get(PUSHBACK).map(|it| it.to_str().unwrap())
}

/// That it is a refusal, says when to come back, and shows nothing of the inside.
fn assert_refusal(status: &Status, longest: Duration) {
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    let sent = format!("{} {:?}", status.message(), status.metadata());
    assert!(!sent.contains(NAME) && !String::from_utf8_lossy(status.details()).contains(NAME));
    let delay = status.get_details_retry_info().unwrap().retry_delay.unwrap();
    assert!(delay > longest / 2 && delay <= longest, "{delay:?}");
    let milliseconds: u64 = pushback(status).unwrap().parse().unwrap();
    assert_eq!(Duration::from_millis(milliseconds), ceil(delay));
}

fn ceil(delay: Duration) -> Duration {
    let milliseconds = delay.as_nanos().div_ceil(1_000_000);
    Duration::from_millis(milliseconds.try_into().unwrap())
}

/// The error of a call to a source that is left alone for five seconds after a failed refresh.
async fn left_alone() -> BoxError {
    let cached = Cached::new(Cache::<u8, u8>::builder("test").spawn(), |key: &u8| Some(*key))
        .terms(Terms::new().fresh_for(SECOND).stale_for(600 * SECOND).jitter(Ratio::percent(0)));
    let mut answers = [Ok(1), Err(BoxError::from("down"))].into_iter();
    let origin = move |_: u8| std::future::ready(answers.next().expect("left alone"));
    let origin = Buffer::new(tower::service_fn(origin), 1);
    let layer = CoalesceLayer::new(cached).after_failed_refresh(Backoff::fixed(5 * SECOND));
    let service = layer.layer(origin);
    assert_eq!(service.clone().oneshot(7).await.unwrap(), 1);
    advance(2 * SECOND).await;
    service.clone().oneshot(7).await.unwrap_err();
    service.oneshot(7).await.unwrap_err()
}

#[derive(Debug)]
struct Wrapped(BoxError);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "of {NAME}")
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_when_to_come_back_rounded_up() {
    for (wait, milliseconds) in [
        (Duration::from_nanos(1), "1"),
        (Duration::from_millis(2_500), "2500"),
        (Duration::from_micros(2_500_001), "2501"),
        (Duration::from_secs(86_400 * 365), "2147483647"),
    ] {
        let status = refusal(&open_for(wait)).unwrap();
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(pushback(&status), Some(milliseconds));
        assert_eq!(status.get_details_retry_info().unwrap().retry_delay, Some(wait));
    }
    assert_refusal(&refusal(&Wrapped(open_for(SECOND).into())).unwrap(), SECOND);
}

#[tokio::test]
async fn a_circuit_that_waits_for_a_hand_does_not_say_when() {
    let circuit = circuit(FRAGILE);
    circuit.force_open();
    let status = refusal(&circuit.permit().unwrap_err()).unwrap();
    assert_eq!((status.code(), pushback(&status)), (Code::Unavailable, None));
    assert!(status.get_details_retry_info().is_none());
}

/// The refusal of a target whose monitor finds it dead, three good checks from its return.
pub(crate) async fn unhealthy() -> Unhealthy {
    let policy = Policy::new().interval(SECOND).jitter(Ratio::percent(0)).fall(1).rise(3);
    let dead = async || Err::<(), BoxError>(format!("password of {NAME}").into());
    let (health, monitor) = Health::builder(NAME).policy(policy).probe(dead).monitor();
    tokio::spawn(monitor);
    health.check_now().await;
    health.refusal().unwrap()
}

/// The refusal of a failover whose one backend has a circuit that is open for this long.
pub(crate) async fn nobody(wait: Duration) -> NoBackend {
    let circuit = circuit(FRAGILE);
    circuit.force_open_for(wait);
    let backend = tower::service_fn(async |()| Ok::<_, BoxError>(()));
    let backend = Backend::new(NAME, backend).circuit(circuit);
    let (failover, upkeep) = Failover::builder(NAME).backend(backend).build();
    tokio::spawn(upkeep);
    *failover.oneshot(()).await.unwrap_err().downcast().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_failover_without_a_backend_is_unavailable_and_says_when_one_may_be_back() {
    let error = nobody(5 * SECOND).await;
    assert_refusal(&refusal(&error).unwrap(), 5 * SECOND);
    assert_refusal(&refusal(&Wrapped(error.into())).unwrap(), 5 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn an_unhealthy_target_is_unavailable_and_says_when_it_may_be_back_if_that_is_known() {
    let error = unhealthy().await;
    assert_refusal(&refusal(&error).unwrap(), 3 * SECOND);
    assert_refusal(&refusal(&Wrapped(Wrapped(error.into()).into())).unwrap(), 3 * SECOND);

    let nobody_looks = Health::new(NAME);
    nobody_looks.down(format!("password of {NAME}"));
    let status = refusal(&nobody_looks.refusal().unwrap()).unwrap();
    assert_eq!((status.code(), pushback(&status)), (Code::Unavailable, None));
    assert!(!format!("{} {:?}", status.message(), status.metadata()).contains(NAME));
}

#[tokio::test(start_paused = true)]
async fn a_spent_budget_is_a_missed_deadline_and_other_errors_are_none() {
    let slow = tower::service_fn(async |(): ()| {
        tokio::time::sleep(SECOND).await;
        Ok::<_, BoxError>(())
    });
    let spent = BudgetLayer::new(SECOND / 2).layer(slow).oneshot(()).await.unwrap_err();
    assert_eq!(refusal(&*spent).unwrap().code(), Code::DeadlineExceeded);
    assert_eq!(refusal(&Wrapped(spent)).unwrap().code(), Code::DeadlineExceeded);
    assert!(refusal(&Wrapped("down".into())).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_left_alone_is_unavailable_and_so_is_its_failed_response() {
    let error = left_alone().await;
    assert!(error.is::<LeftAlone>());
    let status = refusal(&Wrapped(error)).unwrap();
    assert_eq!((status.code(), pushback(&status)), (Code::Unavailable, Some("5000")));
    let status = refusal(&Wrapped(FailedResponse.into())).unwrap();
    assert_eq!((status.code(), pushback(&status)), (Code::Unavailable, None));
}

#[test]
fn for_servers_only_a_status_shows_its_message() {
    use tower_failover::grpc::{AsResponse, AsStatus};
    let answered = |error: BoxError| {
        let response = AsResponse.answer(error).unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/grpc");
        Status::from_header_map(response.headers()).unwrap()
    };
    let own = answered(Status::not_found("no such word").into());
    assert_eq!((own.code(), own.message()), (Code::NotFound, "no such word"));
    let other = answered(boxed(format!("password of {NAME}")));
    assert_eq!((other.code(), other.message()), (Code::Internal, ""));
    let hidden = answered(boxed(Wrapped(Status::data_loss(NAME).into())));
    assert_eq!((hidden.code(), hidden.message()), (Code::DataLoss, ""));

    let own = AsStatus.answer(Status::not_found("no such word").into()).unwrap_err();
    assert_eq!((own.code(), own.message()), (Code::NotFound, "no such word"));
    let other = AsStatus.answer("down".into()).unwrap_err();
    assert_eq!((other.code(), other.message()), (Code::Unknown, "down"));
}

/// Fails, unless it is asked for something else.
fn answer(word: String) -> Said {
    match word.as_str() {
        "fail" => messages([Ok("hel"), Err(Status::unavailable("busy"))]),
        _ => messages([Ok("hello")]),
    }
}

#[tokio::test]
async fn a_client_is_refused_with_a_status_that_says_when_to_come_back() {
    let circuit = circuit(FRAGILE);
    let words = Words::new(answer);
    let server = WordServer::start(Routes::new(words.clone()));
    let mut client = WordClient::new(
        ServiceBuilder::new()
            .layer(AnswerRefusalsLayer::for_grpc())
            .layer(CircuitBreakerLayer::for_grpc(circuit.clone()))
            .service(server.channel()),
    );
    assert_eq!(client.say("hello").await.unwrap(), "hello");
    let mut stream = client.list("fail").await.unwrap();
    stream.message().await.unwrap().unwrap();
    stream.message().await.unwrap_err();
    assert_eq!(circuit.state(), State::Open);
    let refused = client.say("hello").await.unwrap_err();
    assert_refusal(&refused, 600 * SECOND);
    assert_eq!(Open::find(&refused).unwrap().circuit(), NAME);
    assert_refusal(&client.list("hello").await.err().unwrap(), 600 * SECOND);
    assert_eq!(words.calls(), 2);
}

/// Opens the circuit of a server, is refused, and served again once it is released.
async fn refused_by(server: &WordServer, circuit: &tower_failover::Circuit, words: &Words) {
    let mut client = WordClient::new(server.channel());
    assert_eq!(client.say("hello").await.unwrap(), "hello");
    let mut stream = client.list("fail").await.unwrap();
    stream.message().await.unwrap().unwrap();
    stream.message().await.unwrap_err();
    assert_eq!(circuit.state(), State::Open);
    let refused = client.say("hello").await.unwrap_err();
    assert_refusal(&refused, 600 * SECOND);
    assert!(!format!("{refused:?}").contains(NAME), "{refused:?}");
    assert_refusal(&client.list("hello").await.err().unwrap(), 600 * SECOND);
    assert_eq!(words.calls(), 2);
    circuit.force_closed();
    assert_eq!(client.say("hello").await.unwrap(), "hello");
}

#[tokio::test]
async fn a_tonic_server_refuses_under_its_own_layers() {
    let (circuit, words) = (circuit(FRAGILE), Words::new(answer));
    let layers = ServiceBuilder::new()
        .layer(AnswerRefusalsLayer::for_grpc().infallible())
        .layer(CircuitBreakerLayer::for_grpc(circuit.clone()));
    let routes = Routes::new(words.clone());
    let server = WordServer::serve(|incoming| async move {
        Server::builder().layer(layers).add_routes(routes).serve_with_incoming(incoming).await
    });
    refused_by(&server, &circuit, &words).await;
}

#[tokio::test]
async fn a_tonic_server_makes_a_response_of_the_status_of_a_refusal() {
    let (circuit, words) = (circuit(FRAGILE), Words::new(answer));
    let layers = ServiceBuilder::new()
        .layer(AnswerRefusalsLayer::for_grpc())
        .layer(CircuitBreakerLayer::for_grpc(circuit.clone()));
    let routes = Routes::new(words.clone());
    let server = WordServer::serve(|incoming| async move {
        Server::builder().layer(layers).add_routes(routes).serve_with_incoming(incoming).await
    });
    refused_by(&server, &circuit, &words).await;
}

#[tokio::test]
async fn a_router_of_tonic_and_axum_refuses() {
    let (circuit, words) = (circuit(FRAGILE), Words::new(answer));
    let layers = ServiceBuilder::new()
        .layer(AnswerRefusalsLayer::for_grpc().infallible())
        .layer(CircuitBreakerLayer::for_grpc(circuit.clone()));
    let router = Routes::new(words.clone()).into_axum_router().layer(layers);
    let server = WordServer::start(Routes::from(router));
    refused_by(&server, &circuit, &words).await;
}
