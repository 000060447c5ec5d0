//! An axum app outlives its dependency: pages from a cache with a banner, and later an honest `503`.
//! Needs no server: it starts its own. `cargo run --example axum_app`
//!
//! `/news` asks the dependency through a cache and a circuit breaker; while the dependency is dead,
//! a stale page stands in for a second. `/stock` asks it without a cache, behind a circuit
//! breaker of the route. Ends in an error if the story was another.

#[path = "../tests/support/origin.rs"]
mod support;

use std::{collections::BTreeMap, mem, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{
        Request, Response, StatusCode, Uri,
        header::{CACHE_CONTROL, CONTENT_LENGTH, RETRY_AFTER},
    },
    response::IntoResponse,
    routing::get,
};
use http_body_util::BodyExt;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use support::Origin;
use tokio::time::{Instant, sleep};
use tower::{ServiceBuilder, ServiceExt, util::BoxCloneSyncService};
use tower_failover::{
    Backoff, BoxError,
    circuit_breaker::{Circuit, CircuitBreakerLayer, Policy},
    http::{
        AnswerRefusalsLayer,
        cached::{CacheLayer, Page, Pages, Staleness},
        refusal,
    },
};

const OPEN_FOR: Duration = Duration::from_millis(600);
const STALE_FOR: Duration = Duration::from_secs(1);
const PHASE: Duration = Duration::from_secs(3);

type Outgoing = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;

fn app(news: Uri, stock: Uri) -> Router {
    let policy = Policy::consecutive(3).open_for(Backoff::fixed(OPEN_FOR));
    let circuit = |name: &'static str| Circuit::builder(name).policy(policy).build();
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let plain = client.clone().map_response(|it| it.map(Body::new)).map_err(BoxError::from);
    let cached = ServiceBuilder::new()
        .map_response(|response: Response<_>| response.map(Body::new))
        .layer(CacheLayer::new(Page::cache("app").spawn(), Pages::new().stale_for(STALE_FOR)))
        .layer(CircuitBreakerLayer::for_http(circuit("news")))
        .timeout(Duration::from_millis(500))
        .service(client);

    let refused = ServiceBuilder::new()
        .layer(AnswerRefusalsLayer::new().infallible())
        .layer(CircuitBreakerLayer::for_http(circuit("stock")));
    let news = get(show_news).with_state((Outgoing::new(cached), news));
    let stock = get(show_stock).with_state((Outgoing::new(plain), stock));
    Router::new().route("/stock", stock.layer(refused)).route("/news", news)
}

/// `Age` and `Cache-Status` go on to the app's own clients.
async fn show_news(State((outgoing, uri)): State<(Outgoing, Uri)>) -> Response<Body> {
    let page = match outgoing.oneshot(ask(uri)).await {
        Ok(page) => page,
        // An open circuit says when to come back; so does this, if the call itself failed.
        Err(error) => {
            let failed = (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")]);
            return refusal(&*error).unwrap_or_else(|| failed.into_response());
        }
    };
    let age =
        page.extensions().get::<Staleness>().filter(|it| it.is_stale()).and_then(|it| it.age());
    let banner = age.map(|age| format!("[as of {} s ago] ", age.as_secs())).unwrap_or_default();
    let (mut parts, body) = page.into_parts();
    let Ok(body) = body.collect().await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from([banner.as_bytes(), &body.to_bytes()].concat()))
}

async fn show_stock(State((outgoing, uri)): State<(Outgoing, Uri)>) -> Response<Body> {
    let answer = outgoing.oneshot(ask(uri)).await;
    answer.unwrap_or_else(|_| StatusCode::BAD_GATEWAY.into_response())
}

fn ask(uri: Uri) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = uri;
    request
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let mut dependency = Origin::new(
        Router::new()
            .route("/news", get(async || ([(CACHE_CONTROL, "max-age=1")], "all is well")))
            .route("/stock", get(async || "17")),
    );
    let (news, stock) = (dependency.url("/news").parse()?, dependency.url("/stock").parse()?);
    let mut server = Origin::new(app(news, stock));
    server.start()?;
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();

    let mut counts = BTreeMap::from([("failed", 0)]);
    for (phase, is_dead) in [("alive", false), ("dead", true), ("back", false)] {
        println!("the dependency is {phase}");
        if is_dead {
            dependency.kill().await
        } else {
            dependency.start()?
        }
        let (mut shown, end) = ([""; 2], Instant::now() + PHASE);
        while Instant::now() < end {
            for (shown, path) in shown.iter_mut().zip(["/news", "/stock"]) {
                let answer = client.request(ask(server.url(path).parse()?)).await?;
                let kind = kind(path, &answer);
                let text = answer.into_body().collect().await?.to_bytes();
                *counts.entry(kind).or_default() += 1;
                if mem::replace(shown, kind) != kind {
                    println!("  {path}: {kind} {:?}", String::from_utf8_lossy(&text));
                }
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
    let each: Vec<_> = counts.iter().map(|(kind, count)| format!("{kind}={count}")).collect();
    println!("calls={} {}", counts.values().sum::<u32>(), each.join(" "));
    if counts["failed"] == 0 && counts.len() == 7 { Ok(()) } else { Err("another story".into()) }
}

/// What a client learns from the head of an answer.
fn kind<B>(path: &str, answer: &Response<B>) -> &'static str {
    let header = |name| answer.headers().get(name).and_then(|it| it.to_str().ok());
    let status = header("cache-status").unwrap_or_default();
    match answer.status() {
        StatusCode::OK if path == "/stock" => "stock",
        StatusCode::OK if status.contains("; hit") => "fresh",
        StatusCode::OK if status.contains("; fwd=stale") && header("age").is_some() => "stale",
        StatusCode::OK => "origin",
        StatusCode::SERVICE_UNAVAILABLE if header("retry-after").is_some() => "refused",
        StatusCode::BAD_GATEWAY if path == "/stock" => "bad_gateway",
        _ => "failed",
    }
}
