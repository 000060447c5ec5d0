//! Those who wait for a page do not wait until somebody else has read it.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use futures::{StreamExt, future::join_all, stream};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::time::{Instant, sleep};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_failover::{
    BoxError,
    http::cached::{CacheLayer, Page, Pages},
};

use crate::{support::get, wire};

const MILLI: Duration = Duration::from_millis(1);

/// An origin that streams a page of these chunks, so far apart.
fn streaming(
    calls: &Arc<AtomicUsize>,
    chunks: usize,
    apart: Duration,
) -> impl Service<
    Request<Empty<Bytes>>,
    Response = Response<impl http_body::Body<Data = Bytes, Error = Infallible> + Send + use<>>,
    Error = BoxError,
    Future: Send,
> + Clone
+ Send
+ use<> {
    let calls = calls.clone();
    service_fn(move |_: Request<Empty<Bytes>>| {
        calls.fetch_add(1, SeqCst);
        let chunks = stream::iter(0..chunks).then(move |_| async move {
            if !apart.is_zero() {
                sleep(apart).await;
            }
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"tick ")))
        });
        let page = Response::builder().header("cache-control", "max-age=60");
        std::future::ready(
            page.body(BodyExt::boxed_unsync(StreamBody::new(chunks))).map_err(Into::into),
        )
    })
}

#[tokio::test(start_paused = true)]
async fn promise_7_a_page_that_its_first_caller_does_not_read_is_loaded_for_the_others() {
    let calls = Arc::default();
    let layer = CacheLayer::new(Page::cache("pages").spawn(), Pages::new());
    let site = layer.body_timeout(200 * MILLI).layer(streaming(&calls, 3, Duration::ZERO));
    let unread = site.clone().oneshot(get("/", &[])).await.unwrap();
    let began = Instant::now();
    let others = (0..100).map(|_| async {
        let page = site.clone().oneshot(get("/", &[])).await.unwrap();
        assert_eq!(page.into_body().collect().await.unwrap().to_bytes(), "tick tick tick ");
    });
    join_all(others).await;
    assert!(began.elapsed() < 210 * MILLI, "{:?}", began.elapsed());
    assert_eq!(calls.load(SeqCst), 2);
    drop(unread);
}

#[tokio::test(start_paused = true)]
async fn promise_7_callers_of_a_page_without_an_end_read_it_at_the_same_time() {
    let calls = Arc::default();
    let layer = CacheLayer::new(Page::cache("pages").spawn(), Pages::new());
    let site = layer.layer(streaming(&calls, usize::MAX, 1_000 * MILLI));
    let mut readers = Vec::new();
    for _ in 0..2 {
        let began = Instant::now();
        let mut page = site.clone().oneshot(get("/events", &[])).await.unwrap().into_body();
        assert!(began.elapsed() <= 1_001 * MILLI, "{:?}", began.elapsed());
        assert_eq!(page.frame().await.unwrap().unwrap().into_data().unwrap(), "tick ");
        readers.push(page);
    }
    assert_eq!(calls.load(SeqCst), 2);
}

#[tokio::test]
async fn promise_7_a_client_that_gives_no_window_keeps_nobody_else_from_the_page() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let origin = service_fn(move |_: Request<hyper::body::Incoming>| {
        count.fetch_add(1, SeqCst);
        let chunks = stream::repeat_with(|| Ok::<_, Infallible>(vec![b'x'; 1_000])).take(100);
        let page = Response::builder().header("cache-control", "max-age=60");
        std::future::ready(page.body(Body::from_stream(chunks)).map_err(BoxError::from))
    });
    let layer = CacheLayer::new(Page::cache("pages").spawn(), Pages::new());
    let site = ServiceBuilder::new()
        .map_response(|page: Response<_>| page.map(Body::new))
        .layer(layer.body_timeout(100 * MILLI).hard_timeout(60_000 * MILLI))
        .service(origin);
    let address = wire::serve(site).await;
    let greedy: wire::Plain = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .http2_initial_stream_window_size(1)
        .build_http();
    let unread = greedy.request(wire::get(address)).await.unwrap();
    let page = wire::client(true).request(wire::get(address)).await.unwrap();
    assert_eq!(page.into_body().collect().await.unwrap().to_bytes().len(), 100_000);
    assert_eq!(calls.load(SeqCst), 2);
    drop(unread);
}
