use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};
use tower::{ServiceBuilder, ServiceExt, util::BoxCloneSyncService};
use tower_failover::{
    Backoff, BoxError,
    circuit_breaker::{Circuit, CircuitBreakerLayer, Policy},
    event::Event,
    fallback::cached::Cache,
    http::cached::{CacheLayer, Head, Page, PageKey, Pages},
};

/// How long a caller waits who can have a stale page.
pub(crate) const SOFT: Duration = Duration::from_millis(50);
/// How long every other caller waits.
pub(crate) const HARD: Duration = Duration::from_millis(300);
/// How long the client may take for a head.
pub(crate) const ATTEMPT: Duration = Duration::from_millis(200);
/// How long a call may take, its body too, when nobody waits for it any more.
const LOAD: Duration = Duration::from_secs(1);
/// How long the circuit stays open, and a page is left alone that could not be renewed.
pub(crate) const OPEN_FOR: Duration = Duration::from_millis(50);
/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_millis(200);
/// Calls that nobody waits for.
pub(crate) const PLACES: usize = 8;

pub(crate) const CIRCUIT: Policy =
    Policy::consecutive(5).open_for(Backoff::fixed(OPEN_FOR)).probes(1);

pub(crate) type Stack = BoxCloneSyncService<Request<Full<Bytes>>, Response<Body>, BoxError>;

/// A stack, and what may be looked at of it.
pub(crate) struct Stacked {
    pub(crate) stack: Stack,
    pub(crate) cache: Cache<PageKey, Page>,
    /// How many calls failed that were to renew a page.
    pub(crate) failed: Arc<AtomicUsize>,
    /// What it is made of, printed.
    pub(crate) shown: Box<dyn Fn() -> String + Send + Sync>,
}

impl Stacked {
    /// How many calls are in the table of those that others may wait for.
    pub(crate) fn loads(&self) -> usize {
        let shown = (self.shown)();
        let (_, loads) = shown.split_once("loads: ").expect("a table");
        let digits = loads.find(|c: char| !c.is_ascii_digit()).unwrap_or(loads.len());
        loads[..digits].parse().expect("a number")
    }
}

/// A cache over a circuit breaker over a timeout over a client that keeps its connections.
///
/// To be called in the runtime that it is to use.
pub(crate) fn stack(circuit: Circuit) -> Stacked {
    let failed = Arc::<AtomicUsize>::default();
    let count = failed.clone();
    let observer = move |event: &Event<'_>| {
        if let Event::RefreshFailed { .. } = event {
            count.fetch_add(1, SeqCst);
        }
    };
    let cache = Page::cache("pages").background_loads(PLACES).observe(observer).spawn();
    let who = |head: &Head<'_>| head.headers().get("x-user")?.to_str().ok().map(str::to_owned);
    let client = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .build_http::<Full<Bytes>>();
    let service = ServiceBuilder::new()
        .layer(
            CacheLayer::new(cache.clone(), Pages::new().principal(who))
                .soft_timeout(SOFT)
                .hard_timeout(HARD)
                .load_timeout(LOAD)
                .after_failed_refresh(Backoff::fixed(OPEN_FOR)),
        )
        .layer(CircuitBreakerLayer::for_http(circuit))
        .timeout(ATTEMPT)
        .service(client);
    let seen = service.clone();
    let service = service.map_response(|response| response.map(Body::new));
    let shown = Box::new(move || format!("{seen:?}"));
    Stacked { stack: BoxCloneSyncService::new(service), cache, failed, shown }
}
