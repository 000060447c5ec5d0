//! tower-http's own classifiers, whose verdict may stand in the trailers.

use axum::http::{HeaderMap, Request, Response, header::RETRY_AFTER};
use http_body_util::BodyExt;
use tower::{Service, ServiceExt};
use tower_failover::{BoxError, Outcome, gate::Gate, http::AtEnd};
use tower_http::classify::{GrpcErrorsAsFailures, StatusInRangeAsFailures};

use crate::{
    SECOND,
    body::{
        Script,
        Step::{Data, Fails, Hangs, Trailers},
    },
    recorder::{End, FAILURE, Recorder, SUCCESS},
};

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair = |&(name, value): &(&str, &str)| (name.parse().unwrap(), value.parse().unwrap());
    HeaderMap::from_iter(pairs.iter().map(pair))
}

/// How a pass ends whose response is read as far as it goes.
async fn ends(head: &[(&str, &str)], body: Script) -> Vec<End> {
    let recorder = Recorder::default();
    let mut response = Response::new(body);
    response.headers_mut().extend(headers(head));
    let mut response = Some(response);
    let inner = tower::service_fn(move |_: Request<()>| {
        std::future::ready(Ok::<_, BoxError>(response.take().unwrap()))
    });
    let settle = AtEnd::by(GrpcErrorsAsFailures::new());
    let mut gate = Gate::new(inner, recorder.clone()).settle(settle);
    let response = gate.ready().await.unwrap().call(Request::new(())).await.unwrap();
    let mut body = Box::pin(response.into_body());
    loop {
        let polled = futures::poll!(body.frame());
        let std::task::Poll::Ready(Some(Ok(_))) = polled else { break };
    }
    drop(body);
    recorder.ends()
}

fn script(trailers: &[(&str, &str)]) -> Script {
    Script::of([Data("a"), Trailers(headers(trailers))])
}

#[tokio::test]
async fn a_failure_in_the_trailers_counts() {
    assert_eq!(ends(&[], script(&[("grpc-status", "14")])).await, [FAILURE]);
    assert_eq!(ends(&[], script(&[("grpc-status", "0")])).await, [SUCCESS]);
    let busy = [("grpc-status", "14"), ("retry-after", "1")];
    let settled = End::Settled(Outcome::Failure, Some(SECOND));
    assert_eq!(ends(&[], script(&busy)).await, [settled]);
}

#[tokio::test]
async fn a_failure_in_the_head_counts_at_once() {
    assert_eq!(ends(&[("grpc-status", "14")], Script::of([Hangs])).await, [FAILURE]);
}

#[tokio::test]
async fn a_good_head_is_not_yet_a_success() {
    assert_eq!(ends(&[("grpc-status", "0")], Script::of([Fails])).await, [FAILURE]);
    assert_eq!(ends(&[("grpc-status", "0")], Script::of([Hangs])).await, [End::Dropped]);
    assert_eq!(ends(&[("grpc-status", "0")], Script::of([])).await, [SUCCESS]);
}

#[tokio::test]
async fn a_classifier_that_waits_for_trailers_waits_also_when_the_declared_bytes_are_through() {
    let declared = [("content-length", "1")];
    assert_eq!(ends(&declared, Script::of([Data("a"), Hangs])).await, [End::Dropped]);
    assert_eq!(ends(&declared, script(&[("grpc-status", "14")])).await, [FAILURE]);
}

#[tokio::test]
async fn a_range_of_statuses_may_fail() {
    let recorder = Recorder::default();
    for (status, end) in [(429, FAILURE), (404, SUCCESS)] {
        let inner = tower::service_fn(move |_: Request<()>| {
            let response = Response::builder().status(status).header(RETRY_AFTER, "x");
            std::future::ready(response.body(String::new()))
        });
        let settle = AtEnd::by(StatusInRangeAsFailures::new(429..=599));
        let mut gate = Gate::new(inner, recorder.clone()).settle(settle);
        gate.ready().await.unwrap().call(Request::new(())).await.unwrap();
        assert_eq!(recorder.ends(), [end], "{status}");
    }
}
