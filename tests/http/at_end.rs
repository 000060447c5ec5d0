//! A pass is settled once, with the end of the body, whatever that is.

use std::{panic::AssertUnwindSafe, sync::atomic::Ordering, time::Duration};

use axum::http::{
    HeaderMap, Request, Response,
    header::{CONTENT_LENGTH, RETRY_AFTER},
};
use futures::FutureExt;
use http_body::Body;
use http_body_util::BodyExt;
use tower::{Service, ServiceExt};
use tower_failover::{BoxError, Outcome, gate::Gate, http::AtEnd};

use crate::{
    body::{
        Script,
        Step::{Data, Fails, Hangs, Panics, Trailers},
    },
    recorder::{End, FAILURE, Recorder, SUCCESS},
};

type Answer = Result<Response<Script>, BoxError>;

/// The response as it comes through a gate that settles at the end.
async fn through(
    recorder: &Recorder,
    answer: Answer,
) -> Result<Response<impl Body<Data = axum::body::Bytes, Error = BoxError> + use<>>, BoxError> {
    let mut answer = Some(answer);
    let inner = tower::service_fn(move |_: Request<()>| std::future::ready(answer.take().unwrap()));
    let mut gate = Gate::new(inner, recorder.clone()).settle(AtEnd::new());
    gate.ready().await?.call(Request::new(())).await
}

fn ok(body: Script) -> Answer {
    Ok(Response::new(body))
}

#[tokio::test]
async fn a_body_that_ends_well_is_a_success_and_only_then() {
    let recorder = Recorder::default();
    let response = through(&recorder, ok(Script::of([Data("a"), Data("b")]))).await.unwrap();
    let mut body = Box::pin(response.into_body());
    for expected in ["a", "b"] {
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), expected);
        assert_eq!(recorder.ends(), []);
    }
    assert!(body.frame().await.is_none());
    assert_eq!(recorder.ends(), [SUCCESS]);
    drop(body);
    assert_eq!(recorder.ends(), [], "settled once");
}

#[tokio::test]
async fn a_failing_head_is_settled_at_once_with_its_retry_after() {
    let recorder = Recorder::default();
    let body = Script::of([Data("sorry"), Fails]);
    let failing = Response::builder().status(503).header(RETRY_AFTER, "7").body(body).unwrap();
    let response = through(&recorder, Ok(failing)).await.unwrap();
    let wait = Some(Duration::from_secs(7));
    assert_eq!(recorder.ends(), [End::Settled(Outcome::Failure, wait)]);
    let mut body = Box::pin(response.into_body());
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "sorry");
    assert!(body.frame().await.unwrap().is_err());
    drop(body);
    assert_eq!(recorder.ends(), [], "settled once");
}

#[tokio::test]
async fn retry_after_of_a_success_says_nothing() {
    let recorder = Recorder::default();
    let good = Response::builder().header(RETRY_AFTER, "7").body(Script::of([Data("a")])).unwrap();
    through(&recorder, Ok(good)).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(recorder.ends(), [SUCCESS]);
}

#[tokio::test]
async fn a_body_that_ended_with_its_head_is_settled_with_it() {
    let recorder = Recorder::default();
    let response = through(&recorder, ok(Script::of([]).knows_its_end())).await.unwrap();
    assert_eq!(recorder.ends(), [SUCCESS]);
    drop(response);
    assert_eq!(recorder.ends(), []);
}

#[tokio::test]
async fn a_consumer_may_stop_when_the_last_frame_says_that_it_is_the_last() {
    let recorder = Recorder::default();
    let body = Script::of([Data("a"), Data("b")]).knows_its_end();
    let response = through(&recorder, ok(body)).await.unwrap();
    let mut body = Box::pin(response.into_body());
    body.frame().await.unwrap().unwrap();
    assert_eq!(recorder.ends(), []);
    body.frame().await.unwrap().unwrap();
    assert_eq!(recorder.ends(), [SUCCESS]);
    assert!(body.is_end_stream());
    drop(body);
    assert_eq!(recorder.ends(), [], "settled once");
}

#[tokio::test]
async fn a_consumer_may_stop_when_the_end_shows_after_the_last_frame() {
    let recorder = Recorder::default();
    let body = Script::of([Data("a"), Hangs]);
    let ended_late = body.ended_late.clone();
    let response = through(&recorder, ok(body)).await.unwrap();
    let mut body = Box::pin(response.into_body());
    body.frame().await.unwrap().unwrap();
    assert!(!body.is_end_stream());
    assert_eq!(recorder.ends(), []);
    ended_late.store(true, Ordering::SeqCst);
    assert!(body.is_end_stream());
    assert_eq!(recorder.ends(), [SUCCESS]);
    assert!(body.is_end_stream());
    drop(body);
    assert_eq!(recorder.ends(), [], "settled once");
}

#[tokio::test]
async fn a_body_that_ends_in_an_error_is_a_failure_whatever_its_head_said() {
    let recorder = Recorder::default();
    let response = through(&recorder, ok(Script::of([Data("a"), Fails]))).await.unwrap();
    assert_eq!(response.status(), 200);
    let error = response.into_body().collect().await.unwrap_err();
    assert_eq!(error.to_string(), "the body is cut");
    assert_eq!(recorder.ends(), [FAILURE]);
}

#[tokio::test]
async fn a_body_that_panics_is_a_failure() {
    for steps in [vec![Panics], vec![Data("a"), Panics]] {
        let recorder = Recorder::default();
        let response = through(&recorder, ok(Script::of(steps))).await.unwrap();
        let collected = AssertUnwindSafe(response.into_body().collect()).catch_unwind().await;
        assert!(collected.is_err(), "it did not panic");
        assert_eq!(recorder.ends(), [FAILURE]);
    }
}

#[tokio::test]
async fn a_body_that_panics_when_asked_for_its_end_is_a_failure() {
    let recorder = Recorder::default();
    let mut body = Script::of([Data("a")]);
    body.hint_panics = true;
    let answered = AssertUnwindSafe(through(&recorder, ok(body))).catch_unwind().await;
    assert!(answered.is_err(), "it did not panic");
    assert_eq!(recorder.ends(), [FAILURE]);
}

#[tokio::test]
async fn a_body_that_is_dropped_half_way_drops_the_pass() {
    for frames in 0..3 {
        let recorder = Recorder::default();
        let body = Script::of([Data("a"), Data("b"), Hangs]);
        let polled = body.polled.clone();
        let response = through(&recorder, ok(body)).await.unwrap();
        let mut body = Box::pin(response.into_body());
        for _ in 0..frames {
            body.frame().await.unwrap().unwrap();
        }
        assert!(frames < 2 || body.frame().now_or_never().is_none());
        assert_eq!(recorder.ends(), []);
        drop(body);
        assert_eq!(recorder.ends(), [End::Dropped], "after {frames} frames");
        assert_eq!(polled.load(Ordering::SeqCst), frames + frames / 2);
    }
}

#[tokio::test]
async fn an_error_in_place_of_a_response_is_a_failure() {
    let recorder = Recorder::default();
    let error = through(&recorder, Err("no connection".into())).await.err().unwrap();
    assert_eq!(error.to_string(), "no connection");
    assert_eq!(recorder.ends(), [FAILURE]);
}

#[tokio::test]
async fn frames_trailers_and_hints_pass_unchanged() {
    let recorder = Recorder::default();
    let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), "1".parse().unwrap())]);
    let steps = || [Data("abc"), Data(""), Data("de"), Trailers(trailers.clone())];
    let (mut bare, polled) = {
        let script = Script::of(steps()).knows_its_end();
        (Box::pin(script.clone()), script.polled)
    };
    let response = through(&recorder, ok(Script::of(steps()).knows_its_end())).await.unwrap();
    let mut body = Box::pin(response.into_body());
    loop {
        assert_eq!(body.size_hint().exact(), bare.size_hint().exact());
        assert_eq!(body.is_end_stream(), bare.is_end_stream());
        let (Some(frame), Some(expected)) = (body.frame().await, bare.frame().await) else { break };
        let (frame, expected) = (frame.unwrap(), expected.unwrap());
        assert_eq!(frame.data_ref(), expected.data_ref());
        assert_eq!(frame.trailers_ref(), expected.trailers_ref());
    }
    assert_eq!(polled.load(Ordering::SeqCst), 5, "frames and the end");
    assert_eq!(recorder.ends(), [SUCCESS]);
}

#[tokio::test]
async fn a_body_that_is_polled_after_its_end_is_settled_once() {
    let recorder = Recorder::default();
    let body = Script::of([Data("a")]);
    let response = through(&recorder, ok(body)).await.unwrap();
    let mut body = Box::pin(response.into_body());
    body.frame().await.unwrap().unwrap();
    for _ in 0..3 {
        assert!(body.frame().await.is_none());
    }
    assert_eq!(recorder.ends(), [SUCCESS]);
}

#[tokio::test]
async fn a_body_that_is_dropped_with_all_that_its_head_declared_is_a_success() {
    let table = [
        (Some("2"), vec![Data("a"), Data("b"), Hangs], SUCCESS),
        (Some("0"), vec![Hangs], SUCCESS),
        (Some("3"), vec![Data("a"), Data("b"), Hangs], End::Dropped),
        (Some("1"), vec![Data("a"), Data("b"), Hangs], End::Dropped),
        (Some("two"), vec![Data("a"), Data("b"), Hangs], End::Dropped),
        (None, vec![Data("a"), Data("b"), Hangs], End::Dropped),
        (Some("2"), vec![Data("a"), Data("b"), Fails], FAILURE),
        (Some("2"), vec![Data("a"), Data("b"), Panics], FAILURE),
        // The answer to a `HEAD`, and one that was cut without an error.
        (Some("3"), vec![], SUCCESS),
        (Some("3"), vec![Data("a"), Data("b")], FAILURE),
    ];
    for (length, steps, end) in table {
        let recorder = Recorder::default();
        let (shown, steps) = (format!("{length:?} {}", steps.len()), steps);
        let mut response = Response::new(Script::of(steps));
        response.headers_mut().extend(length.map(|it| (CONTENT_LENGTH, it.parse().unwrap())));
        let mut body = Box::pin(through(&recorder, Ok(response)).await.unwrap().into_body());
        let read = AssertUnwindSafe(async {
            while let std::task::Poll::Ready(Some(Ok(_))) = futures::poll!(body.frame()) {}
        });
        let _ = read.catch_unwind().await;
        drop(body);
        assert_eq!(recorder.ends(), [end], "{shown}");
    }
}
