//! Every stack that the manuals show may be awaited inside of a spawned task. The compiler forgets
//! `'static` there, and refuses types whose parameters repeat the boxed error of a service.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
#![allow(clippy::disallowed_methods, reason = "tests spawn as their users do")]

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
use tower_failover::{
    BoxError,
    circuit_breaker::{Circuit, CircuitBreakerLayer},
    fallback::{
        Backup, FallbackLayer, Value,
        cached::{Cache, Cached, CoalesceLayer, Stale},
    },
    health::{Health, HealthGateLayer},
    http::{
        AnswerRefusalsLayer, ServerErrors,
        cached::{CacheLayer, Page, Pages},
    },
};

const SECOND: Duration = Duration::from_secs(1);

async fn double(number: u64) -> Result<u64, BoxError> {
    Ok(number * 2)
}

/// A stack over a plain service, called in each way that people call services.
macro_rules! plain {
    ($($name:ident { $($layer:tt)* })*) => {$(
        #[tokio::test]
        async fn $name() {
            let service = || ServiceBuilder::new() $($layer)* .service(service_fn(double));
            let (one, mut two, three) = (service(), service(), service());
            tokio::spawn(async move { one.oneshot(21).await.unwrap(); }).await.unwrap();
            tokio::spawn(async move {
                two.ready().await.unwrap().call(21).await.unwrap();
                let all = futures::future::join_all([two.ready().await.unwrap().call(21)]);
                assert!(all.await[0].is_ok());
            })
            .await
            .unwrap();
            let call = tokio::time::timeout(SECOND, three.oneshot(21));
            tokio::spawn(async move { call.await.unwrap().unwrap(); }).await.unwrap();
        }
    )*};
}

fn circuit() -> CircuitBreakerLayer {
    CircuitBreakerLayer::new(Circuit::new("spawned"))
}

fn health() -> HealthGateLayer {
    HealthGateLayer::new(Health::new("spawned"))
}

fn cached() -> Cached<
    impl tower_failover::fallback::cached::Query<
        u64,
        Response = u64,
        Key = u64,
        Stored = u64,
        Note = (),
    > + Clone
    + Send
    + Sync
    + 'static,
> {
    Cached::new(Cache::builder("spawned").build().0, |number: &u64| Some(*number))
}

plain! {
    a_breaker { .layer(circuit()) }
    a_fallback { .layer(FallbackLayer::new(Value::of(0))) }
    a_fallback_that_tells { .layer(FallbackLayer::new(Value::of(0)).served()) }
    a_fallback_over_a_breaker { .layer(FallbackLayer::new(Value::of(0))).layer(circuit()) }
    a_fallback_over_a_timeout { .layer(FallbackLayer::new(Value::of(0))).timeout(SECOND) }
    a_fallback_within_a_budget { .layer(FallbackLayer::new(Value::of(0)).inner_within(SECOND)) }
    a_fallback_when_open { .layer(FallbackLayer::new(Value::of(0)).only_when_open()).layer(circuit()) }
    a_health_gate { .layer(health()) }
    a_health_gate_that_holds { .layer(health().hold_for(SECOND, 1)) }
    a_fallback_by_health { .layer(FallbackLayer::new(Value::of(0)).by_health(Health::new("spawned"))) }
    a_fallback_when_unhealthy { .layer(FallbackLayer::new(Value::of(0)).only_when_unhealthy())
        .layer(health().hold_for(SECOND, 1))
        .layer(circuit())
        .timeout(SECOND) }
    a_backup { .layer(FallbackLayer::new(Backup::new(service_fn(double)).within(SECOND))) }
    a_cache { .layer(FallbackLayer::new(cached())) }
    a_chain { .layer(FallbackLayer::new(cached().or(Value::of(0))).served()) }
    stale { .layer(FallbackLayer::new(Stale::new(
        Cache::<u64, u64>::builder("stale").build().0,
        |number: &u64| Some(*number),
    ))) }
    shared_calls { .layer(CoalesceLayer::new(cached())) }
    a_whole { .layer(FallbackLayer::new(cached()).served())
        .layer(CoalesceLayer::new(cached()))
        .layer(circuit())
        .timeout(SECOND) }
}

/// A stack around hyper's client.
macro_rules! client {
    ($($name:ident { $($layer:tt)* })*) => {$(
        #[tokio::test]
        async fn $name() {
            let client: Client<_, Empty<Bytes>> =
                Client::builder(TokioExecutor::new()).build_http();
            let service = ServiceBuilder::new() $($layer)* .service(client);
            let request = Request::get("http://127.0.0.1:1/").body(Empty::new()).unwrap();
            let refused = tokio::spawn(async move { service.oneshot(request).await.is_err() });
            assert!(refused.await.unwrap(), "nobody listens there");
        }
    )*};
}

fn http_circuit() -> CircuitBreakerLayer<Circuit, tower_failover::http::AtEnd> {
    CircuitBreakerLayer::for_http(Circuit::new("spawned"))
}

client! {
    around_hyper_a_breaker { .layer(http_circuit()).timeout(SECOND) }
    around_hyper_a_cache { .layer(CacheLayer::new(Page::cache("spawned").build().0, Pages::new())) }
    around_hyper_the_readme { .layer(CacheLayer::new(Page::cache("spawned").build().0, Pages::new())
        .soft_timeout(SECOND))
        .layer(http_circuit())
        .timeout(SECOND) }
    around_hyper_a_fallback { .layer(FallbackLayer::new(Stale::with(
            Page::cache("spawned").build().0, Pages::new())).classify(ServerErrors::new()))
        .layer(tower_failover::http::cached::BodyLayer::new())
        .layer(http_circuit()) }
    around_hyper_a_health_gate { .layer(AnswerRefusalsLayer::new())
        .layer(health().hold_for(SECOND, 1))
        .layer(http_circuit())
        .timeout(SECOND) }
    around_hyper_no_refusals { .layer(AnswerRefusalsLayer::new()).layer(http_circuit()).timeout(SECOND) }
}
