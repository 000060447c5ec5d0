//! What others make of the errors of a failover.

use std::{io, time::Duration};

use http::{StatusCode, header::RETRY_AFTER};
use redis::RedisError;
use tower::{Service, ServiceExt, service_fn};
use tower_failover::{
    BoxError, Classify, Outcome,
    failover::{Backend, Elapsed, Failover, MayHaveRun, NoBackend, Policy, Repeat},
    grpc,
    redis::{Unavailable, Verdict},
};

use crate::support::{Fault, Site, call};

/// The error of a call that one backend failed so.
async fn doubtful<E>(error: impl Fn() -> E + Clone + Send + 'static) -> BoxError
where
    E: Into<BoxError> + Send + 'static,
{
    let fails = move |_: u64| {
        let error = error();
        async move { Err::<(), E>(error) }
    };
    let (mut failover, _upkeep) =
        Failover::builder("sessions").backend(Backend::new("eu", service_fn(fails))).build();
    let error = failover.ready().await.unwrap().call(1).await.unwrap_err();
    assert!(error.is::<MayHaveRun>(), "{error:?}");
    error
}

async fn nobody() -> BoxError {
    let site = Site::new("eu");
    site.set(Fault::Refused);
    let (mut failover, _upkeep) = Failover::builder("sessions").backend(site.backend()).build();
    let error = call(&mut failover).await.unwrap_err();
    assert!(error.is::<NoBackend>(), "{error:?}");
    error
}

async fn late() -> BoxError {
    let site = Site::new("eu");
    site.set(Fault::Hangs);
    let (mut failover, _upkeep) = Failover::builder("sessions")
        .backend(site.backend())
        .policy(Policy::new().attempts(1))
        .repeat(Repeat::Always)
        .build();
    let error = call(&mut failover).await.unwrap_err();
    assert!(error.is::<Elapsed>(), "{error:?}");
    error
}

fn dropped() -> RedisError {
    io::Error::from(io::ErrorKind::BrokenPipe).into()
}

fn wrong_type() -> RedisError {
    let reply = redis::parse_redis_value(b"-WRONGTYPE not a list\r\n").unwrap();
    reply.extract_error().unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn redis_looks_through_what_may_have_run() {
    let (dropped, own) = (doubtful(dropped).await, doubtful(wrong_type).await);
    assert_eq!(Verdict::of(&*dropped), Verdict::Unavailable);
    assert_eq!(Verdict::of(&*own), Verdict::CallersOwn);
    assert_eq!(Unavailable.classify(&Err::<(), _>(own)), Outcome::Success);
    let error = doubtful(wrong_type).await;
    assert!(Unavailable::may_have_run(&*error), "whatever is in it");
    assert!(!Unavailable::may_have_run(&*nobody().await));
    assert!(Unavailable::may_have_run(&*late().await));
    assert!(!Unavailable::command_may_have_run(&redis::cmd("INCR"), &*nobody().await));
}

fn http(error: &BoxError) -> Option<(StatusCode, Option<String>)> {
    let response = tower_failover::http::refusal::<String>(&**error)?;
    let wait = response.headers().get(RETRY_AFTER).map(|it| it.to_str().unwrap().to_owned());
    Some((response.status(), wait))
}

#[tokio::test(start_paused = true)]
async fn http_answers_that_nobody_is_left_and_that_one_was_late() {
    let second = Some("1".to_owned());
    assert_eq!(http(&nobody().await), Some((StatusCode::SERVICE_UNAVAILABLE, second)));
    assert_eq!(http(&late().await), Some((StatusCode::GATEWAY_TIMEOUT, None)));
    assert_eq!(http(&doubtful(dropped).await), None);
}

#[tokio::test(start_paused = true)]
async fn http_invites_nobody_to_repeat_what_may_have_run() {
    let (inner, _upkeep) = {
        let site = Site::new("eu");
        site.set(Fault::Dropped);
        Failover::builder("inner").backend(site.backend()).repeat(Repeat::Always).build()
    };
    let (mut outer, _upkeep) =
        Failover::builder("outer").backend(Backend::new("inner", inner)).build();
    let error = outer.ready().await.unwrap().call(1).await.unwrap_err();
    let doubtful = error.downcast_ref::<MayHaveRun>().unwrap();
    assert!(doubtful.get_ref().is::<NoBackend>());
    assert_eq!(http(&error), None);
    assert!(grpc::refusal(&*error).is_none());
}

#[tokio::test(start_paused = true)]
async fn grpc_answers_that_nobody_is_left_and_that_one_was_late() {
    let status = grpc::refusal(&*nobody().await).unwrap();
    assert_eq!(status.code(), tonic::Code::Unavailable);
    assert_eq!(grpc::retry_after(status.metadata().as_ref()), Some(Duration::from_secs(1)));
    assert_eq!(grpc::refusal(&*late().await).unwrap().code(), tonic::Code::DeadlineExceeded);
    assert!(grpc::refusal(&*doubtful(dropped).await).is_none());
}

#[tokio::test(start_paused = true)]
async fn the_status_of_a_backend_reaches_the_client_whole() {
    let internal = || tonic::Status::internal("the disk is full");
    let error = doubtful(internal).await;
    let answer = tower_failover::http::AnswerRefusalsLayer::for_grpc().infallible();
    let fails = tower::service_fn(move |_: ()| {
        let error = std::sync::Mutex::new(Some(error_of(&error)));
        async move { Err::<http::Response<()>, BoxError>(error.lock().unwrap().take().unwrap()) }
    });
    let response = tower::Layer::layer(&answer, fails).oneshot(()).await.unwrap();
    let status = tonic::Status::from_header_map(response.headers()).unwrap();
    assert_eq!((status.code(), status.message()), (tonic::Code::Internal, "the disk is full"));
}

/// As the failover made it, once more.
fn error_of(error: &BoxError) -> BoxError {
    let status = error.downcast_ref::<MayHaveRun>().unwrap().get_ref();
    let status = status.downcast_ref::<tonic::Status>().unwrap().clone();
    let fails = service_fn(move |_: u64| {
        let status = status.clone();
        async move { Err::<(), _>(status) }
    });
    let (failover, _upkeep) = Failover::builder("again").backend(Backend::new("eu", fails)).build();
    futures::executor::block_on(failover.oneshot(1)).unwrap_err()
}
