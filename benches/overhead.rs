//! What each layer costs over a service that does nothing: nanoseconds and allocations a call.
//!
//! `cargo bench --bench overhead`

mod support;

use std::{
    error::Error,
    fmt,
    future::{Ready, ready},
    hint::black_box,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    thread::sleep,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Empty, Full};
use support::{Candidate, call, drive, measure, print};
use tower::{Layer, Service, service_fn};
use tower_failover::{
    Backoff, BoxError, Ratio,
    circuit_breaker::{Circuit, CircuitBreaker, CircuitBreakerLayer, Policy, Rate, Window},
    failover::{Backend, Failover, Repeat},
    fallback::{
        Failed, FallbackLayer, Plan, Served, Strategy, Value,
        cached::{Cache, Cached, CoalesceLayer, Stale, Terms},
    },
    gate::{Gate, Guard},
    health::{Health, HealthGateLayer},
    http::{
        ServerErrors,
        cached::{BodyLayer, CacheLayer, Page, Pages},
    },
};

const LONG: Duration = Duration::from_secs(600);

fn main() {
    guards();
    fallback_over_ok();
    fallback_over_err();
    cached();
    http_settled();
    http_cached();
    healthy();
    failing_over();
}

fn guards() {
    let calls = Rate::new(Ratio::percent(50), Window::Calls(100));
    let closed = |policy| Circuit::builder("closed").policy(policy).build();
    let forced_open = |circuit: Circuit| {
        circuit.force_open();
        circuit
    };
    let open = closed(Policy::consecutive(1).open_for(Backoff::fixed(LONG)));
    open.permit().expect("closed").failure();
    let probing = half_open();
    let full = half_open();
    let probe = full.permit().expect("a free place");

    let row = |name: &str, circuit: &Circuit| {
        service(name, CircuitBreaker::new(service_fn(good), circuit.clone()))
    };
    let costs = measure(&mut [
        service("bare", service_fn(good)),
        Candidate::new("nothing but one allocation", || drop(black_box(Box::new([0_u64; 4])))),
        service("gate, trivial guard", Gate::new(service_fn(good), AlwaysOpen)),
        row("closed, consecutive policy", &closed(Policy::consecutive(5))),
        row("closed, default policy", &Circuit::new("default")),
        row("closed, last 100 calls", &closed(Policy::rate(calls))),
        row("closed, default + slow calls", &closed(Policy::new().slow_calls(LONG, calls))),
        row("open for a time", &open),
        row("forced open", &forced_open(Circuit::new("literal"))),
        row("forced open, name not a literal", &forced_open(Circuit::new(String::from("owned")))),
        row("half-open, probe admitted", &probing),
        row("half-open, full", &full),
    ]);
    print("circuit breaker", &costs);
    probe.ignore();
}

fn fallback_over_ok() {
    let open = Circuit::new("open");
    open.force_open();
    let costs = measure(&mut [
        service("bare", service_fn(good)),
        service("no-op strategy", FallbackLayer::new(Nothing).layer(service_fn(good))),
        service("value", FallbackLayer::new(Value::with(one)).layer(service_fn(good))),
        service("shared value", FallbackLayer::new(Value::of(1)).layer(service_fn(good))),
        service(
            "value, closed default breaker",
            FallbackLayer::new(Value::with(one))
                .layer(CircuitBreaker::new(service_fn(good), Circuit::new("closed"))),
        ),
        service(
            "value, forced open breaker",
            FallbackLayer::new(Value::with(one)).layer(CircuitBreaker::new(service_fn(good), open)),
        ),
    ]);
    print("fallback over Ok", &costs);
}

fn fallback_over_err() {
    let costs = measure(&mut [
        service("bare", service_fn(bad)),
        service("no-op strategy", FallbackLayer::new(Nothing).layer(service_fn(bad))),
        service("value", FallbackLayer::new(Value::with(one)).layer(service_fn(bad))),
        service("shared value", FallbackLayer::new(Value::of(1)).layer(service_fn(bad))),
    ]);
    print("fallback over Err", &costs);
}

/// The stored form is a shared string, whose clone is the first row's work.
fn cached() {
    type Page = Arc<str>;
    let page: Page = "a page".into();
    let origin = {
        let page = page.clone();
        service_fn(move |_: u64| ready(Ok::<Page, BoxError>(page.clone())))
    };
    let keyed = |name: &'static str| {
        let (cache, _) = Cache::<Arc<str>, Page>::builder(name).build();
        Cached::new(cache, {
            let key: Arc<str> = "https://example.com/users/7?fields=name".into();
            move |_: &u64| Some(key.clone())
        })
        .terms(Terms::new().fresh_for(LONG))
    };
    let fresh = |name| {
        let cached = keyed(name);
        let mut filled = FallbackLayer::new(cached.clone()).layer(origin.clone());
        drop(call(&mut filled, 1));
        (filled, cached)
    };
    let (hit, _) = fresh("hit");
    let (_, below) = fresh("hit, coalesced");
    let coalesced =
        FallbackLayer::new(below.clone()).layer(CoalesceLayer::new(below).layer(origin.clone()));
    let (cache, _) = Cache::<u64, Page>::builder("stale").build();
    let stale = Stale::new(cache, |id: &u64| Some(*id));
    let (cache, _) = Cache::<u64, Page>::builder("misses").build();
    let missed = Cached::new(cache, |id: &u64| Some(*id))
        .terms(Terms::new().fresh_for(Duration::ZERO).stale_for(Duration::ZERO));
    let costs = measure(&mut [
        service("bare", origin.clone()),
        service("cached, a fresh answer", hit),
        service("cached, a fresh answer, coalesced", coalesced),
        service("stale, learning", FallbackLayer::new(stale).layer(origin.clone())),
        service(
            "cached, a miss that is not kept",
            FallbackLayer::new(missed.clone()).layer(origin.clone()),
        ),
        service(
            "the same, coalesced",
            FallbackLayer::new(missed.clone()).layer(CoalesceLayer::new(missed).layer(origin)),
        ),
    ]);
    print("cached and stale answers", &costs);
}

/// A gate before a healthy target.
fn healthy() {
    let health = Health::new("target");
    health.succeeded(Duration::from_millis(1));
    let costs = measure(&mut [
        service("bare", service_fn(good)),
        service("health gate", HealthGateLayer::new(health.clone()).layer(service_fn(good))),
        service(
            "health gate that holds",
            HealthGateLayer::new(health).hold_for(LONG, 1_000).layer(service_fn(good)),
        ),
    ]);
    print("health gate", &costs);
}

/// Two backends, of which the first is healthy and serves.
fn failing_over() {
    let fleet = |repeat, with: fn(Backend<_>) -> Backend<_>| {
        let (failover, upkeep) = Failover::builder("fleet")
            .backend(with(Backend::new("eu", service_fn(good))))
            .backend(with(Backend::new("us", service_fn(good)).tier(1)))
            .repeat(repeat)
            .build();
        drop(upkeep);
        failover
    };
    let healthy: fn(Backend<_>) -> Backend<_> = |backend| {
        let health = Health::new("target");
        health.succeeded(Duration::from_millis(1));
        backend.health(health)
    };
    let costs = measure(&mut [
        service("bare", service_fn(good)),
        service("never repeated", fleet(Repeat::Never, |backend| backend)),
        service("default", fleet(Repeat::IfNotApplied, |backend| backend)),
        service("always repeated", fleet(Repeat::Always, |backend| backend)),
        service("with health", fleet(Repeat::IfNotApplied, healthy)),
        service(
            "with a circuit",
            fleet(Repeat::IfNotApplied, |backend| backend.circuit(Circuit::new("closed"))),
        ),
    ]);
    print("failover over a healthy primary", &costs);
}

/// A response of 1 kB whose body is read to its end.
fn http_settled() {
    let at_end = CircuitBreakerLayer::for_http(Circuit::new("at the end"));
    let at_head =
        CircuitBreakerLayer::new(Circuit::new("at the head")).classify(ServerErrors::new());
    let costs = measure(&mut [
        read("bare", service_fn(page)),
        read("circuit breaker, settled at the head", at_head.layer(service_fn(page))),
        read("circuit breaker, settled at the end", at_end.layer(service_fn(page))),
    ]);
    print("circuit breaker over HTTP", &costs);
}

fn http_cached() {
    let layer = |name| {
        let (cache, _) = Page::cache(name).build();
        CacheLayer::new(cache, Pages::new().fresh_for(LONG))
    };
    let fresh = layer("fresh").layer(service_fn(page));
    let passed = layer("passed").layer(service_fn(page));
    let stale = {
        let (cache, _) = Page::cache("stale").build();
        FallbackLayer::new(Stale::with(cache, Pages::new()))
            .layer(BodyLayer::new().layer(service_fn(page)))
    };
    let costs = measure(&mut [
        read("bare", service_fn(page)),
        read("cached, a fresh page", fresh),
        read("cached, with a cookie: passes by", WithCookie(passed)),
        read("stale, learning", stale),
    ]);
    print("cached and stale pages", &costs);
}

fn page(_: Request<Empty<Bytes>>) -> Ready<Result<Response<Full<Bytes>>, BoxError>> {
    static TEXT: [u8; 1024] = [b'x'; 1024];
    let response = Response::builder()
        .header("content-type", "text/plain")
        .body(Full::new(Bytes::from_static(&TEXT)));
    ready(response.map_err(Into::into))
}

/// Calls, and reads the body.
fn read<'a, S, B>(name: &str, mut service: S) -> Candidate<'a>
where
    S: Service<Request<Empty<Bytes>>, Response = Response<B>> + 'a,
    B: http_body::Body,
{
    let uri = Uri::from_static("http://example.com/users/7?fields=name");
    Candidate::new(name, move || {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = uri.clone();
        if let Ok(response) = call(&mut service, request) {
            drive(|| response.into_body().collect()).ok();
        }
    })
}

/// Sends a cookie with each request.
struct WithCookie<S>(S);

impl<S, B> Service<Request<B>> for WithCookie<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        request.headers_mut().insert("cookie", HeaderValue::from_static("session=7"));
        self.0.call(request)
    }
}

fn service<'a, S>(name: &str, mut service: S) -> Candidate<'a>
where
    S: Service<u64> + 'a,
{
    Candidate::new(name, move || drop(call(&mut service, 1)))
}

/// A half-open circuit that stays so.
fn half_open() -> Circuit {
    let policy = Policy::consecutive(1)
        .open_for(Backoff::fixed(Duration::from_millis(1)))
        .probe_deadline(LONG)
        .successes_to_close(u32::MAX);
    let circuit = Circuit::builder("half-open").policy(policy).build();
    circuit.permit().expect("closed").failure();
    sleep(Duration::from_millis(5));
    circuit
}

fn good(request: u64) -> Ready<Result<u64, BoxError>> {
    ready(Ok(request))
}

/// Its error is not boxed, because a fallback passes errors as they are.
fn bad(_: u64) -> Ready<Result<u64, Down>> {
    ready(Err(Down))
}

fn one() -> u64 {
    1
}

#[derive(Debug)]
struct Down;

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("down")
    }
}

impl Error for Down {}

struct AlwaysOpen;

impl<Request> Guard<Request> for AlwaysOpen {
    type Pass = ();
    type Rejection = BoxError;

    fn refusal(&self) -> Option<BoxError> {
        None
    }

    fn admit(&self, _: &Request) -> Result<(), BoxError> {
        Ok(())
    }
}

/// Plans nothing, and has no answer.
#[derive(Clone)]
struct Nothing;

impl<Request> Strategy<Request> for Nothing {
    type Plan = Self;

    fn plan(&self, _: &Request) -> Self {
        Self
    }
}

impl<T, E> Plan<T, E> for Nothing {
    fn poll_recover(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &Result<T, E>,
    ) -> Poll<Result<Served<T>, Failed>> {
        Poll::Ready(Err(Failed::new("nothing", "nothing")))
    }
}
