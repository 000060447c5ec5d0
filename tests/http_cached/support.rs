//! An origin that answers as it is told, and a cache in front of it.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, request::Parts};
use http_body_util::{BodyExt, Empty, Full};
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_failover::{
    BoxError,
    fallback::{
        FallbackLayer, Source,
        cached::{Cache, Cached, Stale, Upkeep},
    },
    http::{
        ServerErrors,
        cached::{BodyLayer, Page, PageKey, Pages, Staleness},
    },
};

pub(crate) type Content = Full<Bytes>;
pub(crate) type Answer = Arc<dyn Fn(&Parts) -> Result<Response<Content>, BoxError> + Send + Sync>;

/// What a caller got.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    pub(crate) source: Source,
    pub(crate) staleness: Option<Staleness>,
}

impl Reply {
    pub(crate) fn is_kept(&self) -> bool {
        matches!(self.source, Source::Cache { .. } | Source::Stale { .. })
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A cache in front of an origin.
pub(crate) struct Site {
    pub(crate) cache: Cache<PageKey, Page>,
    pub(crate) pages: Pages<Content>,
    answer: Mutex<Answer>,
    calls: Arc<Mutex<usize>>,
    /// Whether fresh answers are given without a call.
    is_cached: bool,
    _upkeep: Upkeep,
}

impl Site {
    pub(crate) fn new(pages: Pages<Content>) -> Self {
        let (cache, _upkeep) = Page::cache("pages").build();
        let answer: Answer = Arc::new(|_| Err("not told what to answer".into()));
        let (answer, calls) = (Mutex::new(answer), Arc::default());
        Self { cache, pages, answer, calls, is_cached: true, _upkeep }
    }

    /// Calls the origin for each request, and uses what is kept only when that fails.
    pub(crate) fn only_stale(self) -> Self {
        Self { is_cached: false, ..self }
    }

    pub(crate) fn answers(
        &self,
        answer: impl Fn(&Parts) -> Result<Response<Content>, BoxError> + Send + Sync + 'static,
    ) {
        *self.answer.lock().unwrap() = Arc::new(answer);
    }

    /// Answers `200` with these headers, and a body that names the number of the call.
    pub(crate) fn says(&self, headers: &[(&str, &str)]) {
        self.says_with(200, headers);
    }

    pub(crate) fn says_with(&self, status: u16, headers: &[(&str, &str)]) {
        let headers = owned(headers);
        let calls = self.calls.clone();
        self.answers(move |_| {
            let body = format!("page {}", calls.lock().unwrap());
            Ok(response(status, &headers, body))
        });
    }

    pub(crate) fn is_down(&self) {
        self.answers(|_| Err("connection refused".into()));
    }

    pub(crate) fn fails_with(&self, status: u16) {
        self.answers(move |_| Ok(response(status, &[], "sorry".into())));
    }

    pub(crate) fn calls(&self) -> usize {
        *self.calls.lock().unwrap()
    }

    pub(crate) async fn ask(&self, request: Request<Empty<Bytes>>) -> Result<Reply, BoxError> {
        self.send(request).await
    }

    pub(crate) async fn send<R>(&self, request: Request<R>) -> Result<Reply, BoxError>
    where
        R: http_body::Body + Send + 'static,
    {
        let (answer, calls) = (self.answer.lock().unwrap().clone(), self.calls.clone());
        let origin = service_fn(move |request: Request<R>| {
            *calls.lock().unwrap() += 1;
            let answer = answer(&request.into_parts().0);
            async move { answer }
        });
        let inner = ServiceBuilder::new().layer(BodyLayer::new()).service(origin);
        let (cache, pages) = (self.cache.clone(), self.pages.clone());
        let served = if self.is_cached {
            let layer = FallbackLayer::new(Cached::with(cache, pages));
            let layer = layer.classify(ServerErrors::new()).served();
            ServiceBuilder::new().layer(layer).service(inner).oneshot(request).await?
        } else {
            let layer = FallbackLayer::new(Stale::with(cache, pages));
            let layer = layer.classify(ServerErrors::new()).served();
            ServiceBuilder::new().layer(layer).service(inner).oneshot(request).await?
        };
        let source = served.source();
        let (parts, body) = served.into_inner().into_parts();
        let body = String::from_utf8(body.collect().await?.to_bytes().to_vec()).unwrap();
        let staleness = parts.extensions.get::<Staleness>().cloned();
        Ok(Reply { status: parts.status, headers: parts.headers, body, source, staleness })
    }

    /// `GET`s this path with these headers.
    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.ask(get(path, headers)).await.unwrap()
    }

    /// Whether a second request like this gets what the first one got.
    pub(crate) async fn keeps(&self, headers: &[(&str, &str)]) -> bool {
        let first = self.get("/", headers).await;
        assert!(!first.is_kept(), "{first:?}");
        let second = self.get("/", headers).await;
        assert_eq!(second.is_kept(), second.body == first.body);
        second.is_kept()
    }
}

fn owned(headers: &[(&str, &str)]) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// Each character of a value is one byte of it.
pub(crate) fn response(
    status: u16,
    headers: &[(String, String)],
    body: String,
) -> Response<Content> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, latin1(value));
    }
    response.body(Full::from(body)).unwrap()
}

fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect()
}

pub(crate) fn request(
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
) -> Request<Empty<Bytes>> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, latin1(value));
    }
    request.body(Empty::new()).unwrap()
}

pub(crate) fn get(path: &str, headers: &[(&str, &str)]) -> Request<Empty<Bytes>> {
    request(Method::GET, path, headers)
}

/// The wall time so many seconds from now, as HTTP writes it.
#[expect(clippy::disallowed_methods, reason = "the dates of HTTP are wall time")]
pub(crate) fn date(seconds: i64) -> String {
    let now = SystemTime::now();
    let shift = Duration::from_secs(seconds.unsigned_abs());
    httpdate::fmt_http_date(if seconds < 0 { now - shift } else { now + shift })
}

pub(crate) async fn pass(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}
