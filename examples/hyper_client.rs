//! An origin dies and returns; who calls it by hyper gets the last good page. Needs no server: it
//! starts its own. `cargo run --example hyper_client`
//!
//! Pages are fresh for a second, and stand in for failed calls for a minute. While the origin is
//! dead the circuit opens; callers get the stale page at once, and see how old it is. Ends in an
//! error if the story was another.

#[path = "../tests/support/origin.rs"]
mod support;

use std::time::Duration;

use axum::{Router, http::header::CACHE_CONTROL, routing::get};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use support::Origin;
use tokio::time::{Instant, sleep};
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_failover::{
    Backoff, BoxError,
    circuit_breaker::{Circuit, CircuitBreakerLayer, Policy},
    event::Event,
    http::cached::{CacheLayer, Page, Pages, Staleness},
};

const OPEN_FOR: Duration = Duration::from_millis(300);
const PHASE: Duration = Duration::from_millis(2_500);
const PAUSE: Duration = Duration::from_millis(20);

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let news = get(async || ([(CACHE_CONTROL, "max-age=1")], "all is well"));
    let mut origin = Origin::new(Router::new().route("/news", news));

    let circuit = Circuit::builder("origin")
        .policy(Policy::consecutive(3).open_for(Backoff::fixed(OPEN_FOR)))
        .observe(|event: &Event<'_>| {
            if let Event::Transition(transition) = event {
                println!("{transition}");
            }
        })
        .build();
    let pages = Pages::new().stale_for(Duration::from_secs(60));
    let mut client = ServiceBuilder::new()
        .layer(
            CacheLayer::new(Page::cache("pages").spawn(), pages)
                .soft_timeout(Duration::from_millis(100))
                .after_failed_refresh(Backoff::fixed(OPEN_FOR / 6)),
        )
        .layer(CircuitBreakerLayer::for_http(circuit))
        .timeout(Duration::from_millis(500))
        .service(Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>());

    let mut counts = Counts::default();
    for (phase, is_dead) in [("alive", false), ("dead", true), ("back", false)] {
        println!("the origin is {phase}");
        if is_dead {
            origin.kill().await
        } else {
            origin.start()?
        }
        let (before, mut shown) = (counts.origin, "");
        let end = Instant::now() + PHASE;
        while Instant::now() < end {
            let request = Request::get(origin.url("/news")).body(Empty::new())?;
            let result = client.ready().await?.call(request).await;
            let (source, age) = counts.add(result).await;
            if source != shown {
                println!("  callers see: {source}, {} ms old", age.as_millis());
                shown = source;
            }
            sleep(PAUSE).await;
        }
        if is_dead == (counts.origin > before) {
            return Err(format!("the origin did not look as if it was {phase}").into());
        }
    }

    let Counts { calls, origin: asked, fresh, stale, failed, oldest } = counts;
    println!(
        "calls={calls} origin={asked} fresh={fresh} stale={stale} failed={failed} oldest_ms={}",
        oldest.as_millis()
    );
    let is_as_told = asked == origin.asked() && fresh > 0 && stale > 0 && failed == 0;
    if is_as_told { Ok(()) } else { Err("another story".into()) }
}

#[derive(Default)]
struct Counts {
    calls: usize,
    origin: usize,
    fresh: usize,
    stale: usize,
    failed: usize,
    oldest: Duration,
}

impl Counts {
    /// Where a page came from, and how old it is.
    async fn add<B>(&mut self, result: Result<Response<B>, BoxError>) -> (&'static str, Duration)
    where
        B: http_body::Body,
    {
        self.calls += 1;
        let (count, source, age) = match result {
            Ok(response) if response.status().is_success() => {
                let staleness = response.extensions().get::<Staleness>().cloned();
                let age = staleness.as_ref().and_then(Staleness::age).unwrap_or_default();
                // A page is kept once it was read to its end.
                match (response.into_body().collect().await, staleness) {
                    (Err(_), _) => (&mut self.failed, "a page that is cut", age),
                    (Ok(_), None) => (&mut self.origin, "the origin's page", age),
                    (Ok(_), Some(it)) if it.is_fresh() => (&mut self.fresh, "a fresh page", age),
                    (Ok(_), Some(_)) => (&mut self.stale, "a stale page", age),
                }
            }
            Ok(_) | Err(_) => (&mut self.failed, "a failure", Duration::ZERO),
        };
        *count += 1;
        self.oldest = self.oldest.max(age);
        (source, age)
    }
}
