//! Tower layers that keep a service answering while its backend does not.
//!
//! ```
//! use std::time::Duration;
//! use tower::{Service, ServiceBuilder, ServiceExt};
//! use tower_failover::{
//!     BoxError,
//!     circuit_breaker::{Circuit, CircuitBreakerLayer},
//!     fallback::{FallbackLayer, Source, Value},
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let circuit = Circuit::new("recommendations");
//! let mut service = ServiceBuilder::new()
//!     .layer(FallbackLayer::new(Value::with(Vec::new)).served())
//!     .layer(CircuitBreakerLayer::new(circuit.clone()))
//!     .timeout(Duration::from_millis(250))
//!     .service_fn(async |_user: u64| Err::<Vec<u64>, BoxError>("connection refused".into()));
//!
//! let served = service.ready().await?.call(7).await?;
//! assert_eq!(served.source(), Source::Value);
//! assert!(served.into_inner().is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! # How a request flows
//!
//! ```text
//! request
//!   │ Fallback           plan = strategy.plan(&request)
//!   ▼
//!   │ Gate<Health>       is the target known to be down?
//!   ▼
//!   │ Gate<Circuit>      refusal()? → Err(Open { retry_after }), inner untouched
//!   │                    admit → Permit (a probe's place in half-open)
//!   ▼
//!   │ tower::timeout …
//!   ▼
//!   │ Failover           who serves? A failed call goes on to the next, if it may be repeated
//!   ▼
//!   │ RedisService · hyper · tonic
//!   ▼
//!   │ Gate's future      settle(pass, result): classify → Outcome → window → Transition? → Event
//!   ▼
//!   │ Fallback's future  failure? plan.recover(result) : plan.learn(&response)
//! response
//! ```
//!
//! # Map
//!
//! | module | answers | with |
//! |---|---|---|
//! | [`gate`] | may it go? | [`Guard`](gate::Guard), asked by the one service that refuses |
//! | [`circuit_breaker`] | may it go, after what happened? | [`Circuit`], a guard |
//! | [`classify`] | did it work? | [`Classify`], [`Outcome`] |
//! | [`health`] | may it go, by what its checks say? | [`Health`](health::Health), a guard |
//! | [`failover`] | who else can do it? | [`Failover`](failover::Failover) over [`Backend`](failover::Backend)s |
//! | [`fallback`] | what instead? | [`Strategy`](fallback::Strategy), [`Plan`](fallback::Plan) |
//! | [`event`] | who is told? | [`Event`](event::Event), [`Observer`](event::Observer) |
#![cfg_attr(
    feature = "cache",
    doc = "| [`fallback::cached`] | what did it answer last time? | [`Cached`](fallback::cached::Cached), [`Stale`](fallback::cached::Stale), one [`Cache`](fallback::cached::Cache) |"
)]
#![cfg_attr(
    feature = "http",
    doc = "| [`http`] | did it work, when is that known, how is a refusal said? | [`ServerErrors`](http::ServerErrors), [`AtEnd`](http::AtEnd), [`AnswerRefusalsLayer`](http::AnswerRefusalsLayer) |"
)]
#![cfg_attr(
    feature = "grpc",
    doc = "| [`grpc`] | the same, by status and trailers | [`Codes`](grpc::Codes) |"
)]
#![cfg_attr(
    feature = "redis",
    doc = "| [`redis`] | Redis that fails fast and comes back | [`RedisService`](redis::RedisService), [`Connection`](redis::Connection) |"
)]
//!
//! What is decided, without clocks, tasks or sockets, lies in the private module `logic`; time is
//! read in the private module `clock`, on tokio's clock, so a test that pauses it stops time for the
//! whole crate.
//!
//! # Features
//!
//! None is on by default.
//!
//! | feature | brings |
//! |---|---|
//! | `cache` | cached and stale answers for the fallback, one call for many callers |
//! | `grpc` | classifiers and refusals for tonic; brings `http` |
//! | `http` | classifiers, bodies, refusals and caching rules for hyper and axum; brings `cache` |
//! | `redis` | a Redis client as a Tower service, and its connection |
//! | `retry` | a policy for tower's retry, under a fallback |
//! | `tracing` | [`event::Log`](event) |
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod circuit_breaker;
pub mod classify;
mod clock;
pub mod event;
pub mod failover;
pub mod fallback;
pub mod gate;
#[cfg(feature = "grpc")]
pub mod grpc;
pub mod health;
#[cfg(feature = "http")]
pub mod http;
mod logic;
#[cfg(feature = "redis")]
pub mod redis;

pub use self::{
    circuit_breaker::{Circuit, CircuitBreakerLayer},
    classify::{Classify, ErrorsAreFailures, Outcome},
    fallback::FallbackLayer,
    logic::{Backoff, Ratio},
};

/// An error of any type, as Tower's own middleware has it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[cfg(all(doctest, feature = "http", feature = "redis"))]
#[doc = include_str!("../README.md")]
struct Readme;
