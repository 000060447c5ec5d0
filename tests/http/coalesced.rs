//! What coalesced calls end in, through a real axum server on loopback.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{
        Request, Response, StatusCode,
        header::{CACHE_CONTROL, RETRY_AFTER},
    },
    response::IntoResponse,
};
use http_body_util::BodyExt;
use tokio::{sync::watch, task::JoinHandle};
use tower::ServiceBuilder;
use tower_failover::{
    Backoff,
    circuit_breaker::{Circuit, CircuitBreakerLayer},
    fallback::cached::{Cached, CoalesceLayer},
    http::{
        AnswerRefusalsLayer, ServerErrors,
        cached::{BodyLayer, Page, Pages},
    },
};

use crate::{FRAGILE, SECOND, axum_app::serve, circuit, server};

/// How the origin answers, and how many callers have come.
#[derive(Default)]
struct Scene {
    answer: watch::Sender<Option<StatusCode>>,
    come: watch::Sender<usize>,
}

type Get = Box<dyn Fn() -> JoinHandle<Response<()>>>;

/// A server whose calls are coalesced, without a fallback that would stand in for them.
async fn start(scene: &Arc<Scene>, circuit: Circuit, hard_timeout: Duration) -> Get {
    let (asked, counted) = (scene.clone(), scene.clone());
    let cached = Cached::with(Page::cache("pages").spawn(), Pages::new());
    let coalesce = CoalesceLayer::new(cached)
        .classify(ServerErrors::new())
        .hard_timeout(hard_timeout)
        .after_failed_refresh(Backoff::fixed(90 * SECOND));
    let app = Router::new()
        .fallback(async move || {
            let mut answer = asked.answer.subscribe();
            let status = answer.wait_for(Option::is_some).await.unwrap().unwrap();
            Ok::<_, Infallible>((status, [(CACHE_CONTROL, "max-age=0")], "hello").into_response())
        })
        .layer(
            ServiceBuilder::new()
                .layer(AnswerRefusalsLayer::new().infallible())
                .map_request(move |request: Request<Body>| {
                    counted.come.send_modify(|come| *come += 1);
                    request
                })
                .layer(coalesce)
                .layer(BodyLayer::new())
                .layer(CircuitBreakerLayer::for_http(circuit)),
        );
    let address = serve(app).await;
    let client = server::client();
    Box::new(move || {
        let call = client.request(server::get(address));
        tokio::spawn(async move {
            let (head, body) = call.await.unwrap().into_parts();
            body.collect().await.unwrap();
            Response::from_parts(head, ())
        })
    })
}

#[tokio::test]
async fn who_waited_for_a_failure_gets_a_502_and_its_caller_gets_the_failure() {
    let scene = Arc::new(Scene::default());
    let get = start(&scene, Circuit::new("origin"), 9 * SECOND).await;
    let mut calls = Vec::new();
    for caller in 1..=3 {
        calls.push(get());
        scene.come.subscribe().wait_for(|come| *come == caller).await.unwrap();
    }
    scene.answer.send_replace(Some(StatusCode::INTERNAL_SERVER_ERROR));
    let mut statuses = Vec::new();
    for call in calls {
        statuses.push(call.await.unwrap().status());
    }
    let bad_gateway = StatusCode::BAD_GATEWAY;
    assert_eq!(statuses, [StatusCode::INTERNAL_SERVER_ERROR, bad_gateway, bad_gateway]);
}

#[tokio::test]
async fn an_origin_that_is_left_alone_is_a_503_that_says_when_to_come_back() {
    let scene = Arc::new(Scene::default());
    let get = start(&scene, Circuit::new("origin"), 9 * SECOND).await;
    for (status, expected) in [(200, 200), (500, 500), (200, 503)] {
        scene.answer.send_replace(Some(StatusCode::from_u16(status).unwrap()));
        let answer = get().await.unwrap();
        assert_eq!(answer.status(), expected);
        assert_eq!(answer.headers().contains_key(RETRY_AFTER), expected == 503);
        if expected == 503 {
            let wait: u64 = answer.headers()[RETRY_AFTER].to_str().unwrap().parse().unwrap();
            assert!((80..=90).contains(&wait), "{wait}");
        }
    }
}

#[tokio::test]
async fn an_origin_that_takes_too_long_is_a_504() {
    let scene = Arc::new(Scene::default());
    let get = start(&scene, Circuit::new("origin"), Duration::from_millis(30)).await;
    for _ in 0..2 {
        let answer = get().await.unwrap();
        assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT);
        assert!(!answer.headers().contains_key(RETRY_AFTER));
    }
}

#[tokio::test]
async fn an_open_circuit_below_is_a_503_that_says_when_to_come_back() {
    let (scene, circuit) = (Arc::new(Scene::default()), circuit(FRAGILE));
    circuit.force_open_for(60 * SECOND);
    let get = start(&scene, circuit, 9 * SECOND).await;
    let answer = get().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()[RETRY_AFTER], "60");
}
