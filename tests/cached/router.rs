use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Request, StatusCode},
    response::Response,
    routing::get,
};
use tokio::time::advance;
use tower::ServiceExt;
use tower_failover::{
    FallbackLayer, Outcome,
    fallback::cached::{Cache, Cached, Deposit, Found, Keeper, Query},
};

use crate::support::{SECOND, terms};

/// Keeps the header `answer` of good responses by their path.
#[derive(Clone, Debug)]
struct Answers;

impl Keeper for Answers {
    type Response = Response;
    type Key = String;
    type Stored = HeaderValue;
    type Note = ();

    fn keep(&self, (): (), response: &mut Response, deposit: Deposit<String, HeaderValue>) {
        match response.headers().get("answer") {
            Some(answer) => deposit.store(answer.clone(), terms()),
            None => deposit.refuse(),
        }
    }

    fn restore(&self, found: Found<'_, HeaderValue>) -> Response {
        let mut response = Response::new(Body::empty());
        response.headers_mut().insert("answer", found.stored().clone());
        response.headers_mut().insert("age", found.age().as_secs().into());
        response
    }
}

impl<B> Query<Request<B>> for Answers {
    fn key(&self, request: &Request<B>) -> Option<String> {
        Some(request.uri().path().to_owned())
    }

    fn note(&self, _: &Request<B>) {}
}

fn server_errors(result: &Result<Response, Infallible>) -> Outcome {
    match result {
        Ok(response) if response.status().is_server_error() => Outcome::Failure,
        Ok(_) | Err(_) => Outcome::Success,
    }
}

async fn ask(router: &Router, path: &str) -> (StatusCode, Option<String>, Option<u64>) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let header =
        |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    (response.status(), header("answer"), header("age").map(|age| age.parse().unwrap()))
}

#[tokio::test(start_paused = true)]
async fn promise_5_a_cache_works_under_router_layer_which_applies_its_layers_anew_each_time() {
    let calls = Arc::new(AtomicUsize::new(0));
    let handler = {
        let calls = calls.clone();
        async move || match calls.fetch_add(1, Ordering::Relaxed) {
            0..2 => (StatusCode::OK, [("answer", "42")]),
            _ => (StatusCode::BAD_GATEWAY, [("answer", "none")]),
        }
    };
    let cache = Cache::<String, HeaderValue>::builder("answers").build().0;
    let cached = Cached::with(cache.clone(), Answers);
    let router = Router::new()
        .route("/a", get(handler.clone()))
        .route("/b", get(handler))
        .layer(FallbackLayer::new(cached).classify(server_errors));

    let answer = Some(String::from("42"));
    assert_eq!(ask(&router, "/a").await, (StatusCode::OK, answer.clone(), None));
    assert_eq!(ask(&router, "/b").await, (StatusCode::OK, answer.clone(), None));
    for age in 0..10 {
        assert_eq!(ask(&router, "/a").await, (StatusCode::OK, answer.clone(), Some(age)));
        advance(SECOND).await;
    }
    assert_eq!((calls.load(Ordering::Relaxed), cache.len()), (2, 2));
    for age in 10..15 {
        assert_eq!(ask(&router, "/a").await, (StatusCode::OK, answer.clone(), Some(age)));
        advance(SECOND).await;
    }
    assert_eq!(calls.load(Ordering::Relaxed), 7);
    let none = Some(String::from("none"));
    assert_eq!(ask(&router, "/a").await, (StatusCode::BAD_GATEWAY, none, None));
    assert!(cache.get(&String::from("/a")).is_none());
}
