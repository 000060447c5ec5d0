//! Refusals become responses; other errors stay what they are, or become `500`.

use std::{
    convert::Infallible,
    error::Error,
    fmt,
    task::{Context, Poll},
    time::Duration,
};

use axum::http::{Request, Response, StatusCode, header::RETRY_AFTER};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::{advance, sleep};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, buffer::Buffer};
use tower_failover::{
    Backoff, BoxError, Ratio,
    circuit_breaker::{CircuitBreakerLayer, Open},
    failover::{Backend, Failover, NoBackend},
    fallback::{
        BudgetLayer,
        cached::{Cache, Cached, CoalesceLayer, FailedResponse, LeftAlone, Terms},
    },
    health::{Health, Policy, Unhealthy},
    http::{AnswerRefusalsLayer, OrEmpty, handle_error, refusal},
};

use crate::{FRAGILE, NAME, SECOND, circuit};

fn open_for(wait: Duration) -> Open {
    let circuit = circuit(FRAGILE);
    circuit.force_open_for(wait);
    circuit.permit().unwrap_err()
}

#[derive(Debug)]
struct Wrapped(BoxError);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wrapped")
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

/// The error of a budget that is spent.
async fn elapsed() -> BoxError {
    let slow = tower::service_fn(async |(): ()| {
        sleep(SECOND).await;
        Ok::<_, BoxError>(())
    });
    BudgetLayer::new(SECOND / 2).layer(slow).oneshot(()).await.unwrap_err()
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

/// Status, `Retry-After`, and the body as text.
async fn shown<B>(response: Response<B>) -> (StatusCode, Option<String>, String)
where
    B: Body<Error: fmt::Debug>,
{
    let (parts, body) = response.into_parts();
    for value in parts.headers.values() {
        assert!(!value.to_str().unwrap().contains(NAME));
    }
    let wait = parts.headers.get(RETRY_AFTER).map(|it| it.to_str().unwrap().to_owned());
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status, wait, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_a_503_that_says_when_to_come_back() {
    for (wait, header) in [
        (Duration::from_nanos(1), "1"),
        (SECOND, "1"),
        (SECOND + Duration::from_nanos(1), "2"),
        (Duration::from_millis(2_500), "3"),
        (60 * SECOND, "60"),
    ] {
        let response = refusal::<String>(&open_for(wait)).unwrap();
        let expected = (StatusCode::SERVICE_UNAVAILABLE, Some(header.to_owned()), String::new());
        assert_eq!(shown(response).await, expected, "{wait:?}");
    }
    let over = open_for(SECOND);
    advance(2 * SECOND).await;
    let response = refusal::<String>(&over).unwrap();
    assert_eq!(response.headers()[RETRY_AFTER], "1", "its time is over");
}

#[tokio::test]
async fn a_circuit_that_waits_for_a_hand_does_not_say_when() {
    let circuit = circuit(FRAGILE);
    circuit.force_open();
    let response = refusal::<String>(&circuit.permit().unwrap_err()).unwrap();
    assert_eq!(shown(response).await, (StatusCode::SERVICE_UNAVAILABLE, None, String::new()));
}

/// The refusal of a target whose monitor finds it dead, three good checks from its return.
pub(crate) async fn unhealthy(interval: Duration) -> Unhealthy {
    let policy = Policy::new().interval(interval).jitter(Ratio::percent(0)).fall(1).rise(3);
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
async fn a_failover_without_a_backend_is_a_503_that_says_when_one_may_be_back() {
    let expected = (StatusCode::SERVICE_UNAVAILABLE, Some("5".to_owned()), String::new());
    let error = nobody(5 * SECOND).await;
    assert_eq!(shown(refusal::<String>(&error).unwrap()).await, expected);
    assert_eq!(shown(refusal::<String>(&Wrapped(error.into())).unwrap()).await, expected);
}

#[tokio::test(start_paused = true)]
async fn an_unhealthy_target_is_a_503_that_says_when_it_may_be_back_if_that_is_known() {
    let expected = (StatusCode::SERVICE_UNAVAILABLE, Some("6".to_owned()), String::new());
    let error = unhealthy(2 * SECOND).await;
    assert_eq!(shown(refusal::<String>(&error).unwrap()).await, expected);
    let error = Wrapped(Wrapped(error.into()).into());
    assert_eq!(shown(refusal::<String>(&error).unwrap()).await, expected);
    assert_eq!(shown(handle_error(error.into()).await).await, expected);

    let nobody_looks = Health::new(NAME);
    nobody_looks.down(format!("password of {NAME}"));
    let response = refusal::<String>(&nobody_looks.refusal().unwrap()).unwrap();
    assert_eq!(shown(response).await, (StatusCode::SERVICE_UNAVAILABLE, None, String::new()));
}

#[tokio::test(start_paused = true)]
async fn a_spent_budget_is_a_504_and_other_errors_are_none() {
    let expected = (StatusCode::GATEWAY_TIMEOUT, None, String::new());
    let error = elapsed().await;
    assert_eq!(shown(refusal::<String>(&*error).unwrap()).await, expected);
    assert_eq!(shown(refusal::<String>(&Wrapped(error)).unwrap()).await, expected);
    assert!(refusal::<String>(&Wrapped("down".into())).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_left_alone_is_a_503_and_its_failed_response_a_502() {
    let error = left_alone().await;
    assert!(error.is::<LeftAlone>());
    let expected = (StatusCode::SERVICE_UNAVAILABLE, Some("5".to_owned()), String::new());
    assert_eq!(shown(refusal::<String>(&Wrapped(error)).unwrap()).await, expected);
    let expected = (StatusCode::BAD_GATEWAY, None, String::new());
    let failed = Wrapped(FailedResponse.into());
    assert_eq!(shown(refusal::<String>(&failed).unwrap()).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_found_among_the_sources() {
    let error = Wrapped(Wrapped(open_for(5 * SECOND).into()).into());
    assert_eq!(refusal::<String>(&error).unwrap().headers()[RETRY_AFTER], "5");
}

#[tokio::test(start_paused = true)]
async fn a_handler_answers_every_error_and_shows_nothing_of_it() {
    let refused = handle_error(open_for(5 * SECOND).into()).await;
    let expected = (StatusCode::SERVICE_UNAVAILABLE, Some("5".to_owned()), String::new());
    assert_eq!(shown(refused).await, expected);
    let other = handle_error(format!("password of {NAME}").into()).await;
    assert_eq!(shown(other).await, (StatusCode::INTERNAL_SERVER_ERROR, None, String::new()));
}

#[derive(Clone)]
enum Inner {
    Answers,
    Fails,
    NotReady(&'static str),
    RefusesReadiness,
}

impl Service<Request<()>> for Inner {
    type Response = Response<String>;
    type Error = BoxError;
    type Future = std::future::Ready<Result<Response<String>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(match self {
            Self::Answers | Self::Fails => Ok(()),
            Self::NotReady(why) => Err((*why).into()),
            Self::RefusesReadiness => Err(open_for(5 * SECOND).into()),
        })
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        std::future::ready(match self {
            Self::Answers => Ok(Response::new("hello".to_owned())),
            Self::Fails => Err("down".into()),
            Self::NotReady(_) | Self::RefusesReadiness => panic!("called, and was not ready"),
        })
    }
}

async fn call<S>(service: &mut S) -> Result<Response<OrEmpty<String>>, S::Error>
where
    S: Service<Request<()>, Response = Response<OrEmpty<String>>>,
{
    service.ready().await?.call(Request::new(())).await
}

#[tokio::test(start_paused = true)]
async fn the_layer_answers_refusals_and_passes_other_errors_on() {
    let circuit = circuit(FRAGILE);
    let stack = |inner| {
        let layer = CircuitBreakerLayer::new(circuit.clone());
        ServiceBuilder::new().layer(AnswerRefusalsLayer::new()).layer(layer).service(inner)
    };
    let answered = call(&mut stack(Inner::Answers)).await.unwrap();
    assert_eq!(answered.body().size_hint().exact(), Some(5));
    assert_eq!(shown(answered).await, (StatusCode::OK, None, "hello".to_owned()));
    assert_eq!(call(&mut stack(Inner::Fails)).await.unwrap_err().to_string(), "down");

    let refused = call(&mut stack(Inner::Answers)).await.unwrap();
    assert!(refused.body().is_end_stream());
    assert_eq!(refused.body().size_hint().exact(), Some(0));
    let expected = (StatusCode::SERVICE_UNAVAILABLE, Some("1".to_owned()), String::new());
    assert_eq!(shown(refused).await, expected);
}

#[tokio::test(start_paused = true)]
async fn the_infallible_layer_leaves_no_error() {
    let mut failing = AnswerRefusalsLayer::new().infallible().layer(Inner::Fails);
    let answered: Result<_, Infallible> = call(&mut failing).await;
    let expected = (StatusCode::INTERNAL_SERVER_ERROR, None, String::new());
    assert_eq!(shown(answered.unwrap()).await, expected);
}

#[tokio::test(start_paused = true)]
async fn an_error_of_readiness_is_answered_by_the_next_call() {
    let refused = (StatusCode::SERVICE_UNAVAILABLE, Some("5".to_owned()), String::new());
    let failed = (StatusCode::INTERNAL_SERVER_ERROR, None, String::new());

    let mut passing = AnswerRefusalsLayer::new().layer(Inner::RefusesReadiness);
    assert_eq!(shown(call(&mut passing).await.unwrap()).await, refused);
    let mut passing = AnswerRefusalsLayer::new().layer(Inner::NotReady("gone"));
    assert_eq!(call(&mut passing).await.unwrap_err().to_string(), "gone");

    let mut total = AnswerRefusalsLayer::new().infallible().layer(Inner::NotReady("gone"));
    for _ in 0..2 {
        assert_eq!(shown(call(&mut total).await.unwrap()).await, failed);
    }
    total.ready().await.unwrap();
    *total.get_mut() = Inner::Answers;
    let answered = (StatusCode::OK, None, "hello".to_owned());
    assert_eq!(shown(call(&mut total).await.unwrap()).await, answered);
}
