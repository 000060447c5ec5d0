//! What is said of where a response came from.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use tower::{ServiceBuilder, ServiceExt, service_fn, util::BoxCloneSyncService};
use tower_failover::{
    BoxError,
    fallback::{FallbackLayer, Source, Value, cached::Cached},
    http::{
        ServerErrors,
        cached::{AnnotateLayer, Body, BodyLayer, CacheLayer, Page, Pages, Staleness},
    },
};

use crate::support::{get, pass, request};

type Answer = Response<Body<Full<Bytes>>>;
type Said = Arc<Mutex<Result<(u16, Vec<(&'static str, &'static str)>), ()>>>;

/// A cache of this name, with a value behind it, before an origin that says what is in the box.
fn site(name: &str, said: &Said) -> BoxCloneSyncService<Request<Empty<Bytes>>, Answer, BoxError> {
    let said = said.clone();
    let origin = service_fn(move |_: Request<Empty<Bytes>>| {
        let said = said.lock().unwrap().clone();
        async move {
            let (status, headers) = said.map_err(|()| "connection refused")?;
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            Ok::<_, BoxError>(response.body(Full::<Bytes>::from("page"))?)
        }
    });
    let (cache, upkeep) = Page::cache("pages").build();
    std::mem::forget(upkeep);
    let sorry =
        Value::with(|| Response::new(Body::new(Full::from("sorry")))).named("the \"sorry\" page");
    let fallback = FallbackLayer::new(Cached::with(cache, Pages::new()).or(sorry))
        .classify(ServerErrors::new())
        .served();
    let stack = ServiceBuilder::new()
        .layer(AnnotateLayer::new(name))
        .layer(fallback)
        .layer(BodyLayer::new())
        .service(origin);
    BoxCloneSyncService::new(stack)
}

/// All lines of `Cache-Status`, and the extension, of a response that was read to its end.
async fn ask(
    site: &BoxCloneSyncService<Request<Empty<Bytes>>, Answer, BoxError>,
    request: Request<Empty<Bytes>>,
) -> (Vec<String>, Option<Staleness>) {
    let (parts, body) = site.clone().oneshot(request).await.unwrap().into_parts();
    body.collect().await.unwrap();
    let lines = parts.headers.get_all("cache-status").iter();
    let lines = lines.map(|line| line.to_str().unwrap().to_owned()).collect();
    (lines, parts.extensions.get::<Staleness>().cloned())
}

#[tokio::test(start_paused = true)]
async fn promise_4_each_response_says_by_which_cache_and_how_it_was_answered() {
    let said: Said = Arc::new(Mutex::new(Ok((200, vec![("cache-control", "max-age=60")]))));
    let site = site("front", &said);
    let plain = || get("/", &[]);

    let (lines, staleness) = ask(&site, plain()).await;
    assert_eq!((lines, staleness), (vec![String::from("front; fwd=miss; stored")], None));

    pass(23).await;
    let (lines, staleness) = ask(&site, plain()).await;
    assert_eq!(lines, ["front; hit; ttl=37"]);
    let staleness = staleness.unwrap();
    assert!(staleness.is_fresh() && !staleness.is_stale());
    assert_eq!(staleness.age(), Some(Duration::from_secs(23)));
    assert_eq!(staleness.strategy(), "cache");

    let (lines, staleness) = ask(&site, get("/", &[("range", "bytes=0-1")])).await;
    assert_eq!((lines, staleness), (vec![String::from("front; fwd=bypass")], None));
    let (lines, _) = ask(&site, request(http::Method::OPTIONS, "/", &[])).await;
    assert_eq!(lines, ["front; fwd=bypass"]);

    pass(49).await;
    *said.lock().unwrap() = Err(());
    let (lines, staleness) = ask(&site, plain()).await;
    assert_eq!(lines, ["front; fwd=stale; ttl=-12; detail=stale"]);
    let staleness = staleness.unwrap();
    assert!(staleness.is_stale() && !staleness.is_fresh());
    assert_eq!(staleness.source(), Source::Stale { age: Duration::from_secs(72) });

    let (lines, staleness) = ask(&site, get("/other", &[])).await;
    assert_eq!(lines, ["front; fwd=miss; detail=\"the \\\"sorry\\\" page\""]);
    let staleness = staleness.unwrap();
    assert_eq!(staleness.source(), Source::Value);
    assert_eq!(staleness.strategy(), "the \"sorry\" page");
    assert!(!staleness.is_fresh() && !staleness.is_stale() && staleness.age().is_none());
}

#[tokio::test(start_paused = true)]
async fn promise_4_what_caches_further_away_said_stays_in_front() {
    let headers =
        vec![("cache-control", "max-age=60"), ("cache-status", "far; hit"), ("cache-status", "b")];
    let said: Said = Arc::new(Mutex::new(Ok((200, headers))));
    let site = site("the front", &said);
    let (lines, _) = ask(&site, get("/", &[])).await;
    assert_eq!(lines, ["far; hit", "b", "\"the front\"; fwd=miss; stored"]);
    let (lines, _) = ask(&site, get("/", &[])).await;
    assert_eq!(lines, ["far; hit", "b", "\"the front\"; hit; ttl=60"]);
}

#[tokio::test(start_paused = true)]
async fn promise_4_a_response_for_its_caller_only_is_a_miss_that_is_not_stored() {
    let said: Said = Arc::new(Mutex::new(Ok((200, vec![("cache-control", "private")]))));
    let site = site("front", &said);
    for _ in 0..2 {
        assert_eq!(ask(&site, get("/", &[])).await.0, ["front; fwd=miss"]);
    }
}

/// What one layer made up, another above it does not take for an answer of the origin.
#[tokio::test(start_paused = true)]
async fn promise_4_an_answer_of_a_fallback_below_is_not_kept_above() {
    let said: Said = Arc::new(Mutex::new(Err(())));
    let inner = site("inner", &said);
    let (cache, _upkeep) = Page::cache("outer").build();
    let layer = FallbackLayer::new(Cached::with(cache.clone(), Pages::new())).served();
    let outer = ServiceBuilder::new()
        .layer(AnnotateLayer::new("outer"))
        .layer(layer)
        .layer(BodyLayer::new())
        .service(inner);
    for _ in 0..2 {
        let response = outer.clone().oneshot(get("/", &[])).await.unwrap();
        let lines = response.headers().get_all("cache-status").iter().count();
        assert_eq!(lines, 2);
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "sorry");
        assert!(cache.is_empty());
    }
    *said.lock().unwrap() = Ok((200, vec![]));
    let response = outer.oneshot(get("/", &[])).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "page");
    assert_eq!(cache.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn promise_4_a_cache_that_was_not_asked_says_so_also_above_one_that_was() {
    let said: Said = Arc::new(Mutex::new(Ok((200, vec![("cache-control", "max-age=60")]))));
    let (cache, _upkeep) = Page::cache("outer").build();
    let outer = ServiceBuilder::new()
        .layer(CacheLayer::new(cache, Pages::new()))
        .map_request(|mut request: Request<Empty<Bytes>>| {
            request.headers_mut().remove("cookie");
            request
        })
        .service(site("inner", &said));
    let request = get("/", &[("cookie", "session=alice")]);
    let response = outer.clone().oneshot(request).await.unwrap();
    let lines: Vec<_> = response.headers().get_all("cache-status").iter().collect();
    assert_eq!(lines, ["inner; fwd=miss; stored", "outer; fwd=bypass"]);
}
