//! Answers by other means what a service fails to answer: a value, a function, another service, a
//! cache.
//!
//! # When to use it
//!
//! When an answer that is good enough beats none: an empty list, a default, a replica's view. Not
//! for what must not be lost: a write that is answered by a fallback was not written.
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//! use tower_failover::{
//!     BoxError,
//!     fallback::{Backup, FallbackLayer, Source, Value},
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let primary = service_fn(async |_: u32| Err::<String, BoxError>("connection refused".into()));
//! let replica = service_fn(async |id: u32| Ok::<_, BoxError>(format!("user {id}")));
//!
//! let strategy = Backup::new(replica)
//!     .within(Duration::from_millis(50))
//!     .or(Value::with(|| String::from("somebody")));
//! let mut service = ServiceBuilder::new()
//!     .layer(
//!         FallbackLayer::new(strategy)
//!             .inner_within(Duration::from_millis(200))
//!             .served(),
//!     )
//!     .service(primary);
//!
//! let served = service.ready().await?.call(7).await?;
//! assert_eq!(served.source(), Source::Backup);
//! assert_eq!(served.into_inner(), "user 7");
//! # Ok(())
//! # }
//! ```
//!
//! # How it behaves
//!
//! Before the call the [`Strategy`] makes a [`Plan`] from the request. Then the inner service is
//! called, and its result is classified:
//!
//! | outcome | what happens |
//! |---|---|
//! | `Success` | the plan learns from the response; the caller gets the result |
//! | `Ignored` | the caller gets the result |
//! | `Failure` | the plan looks for another answer; without one the caller gets the result as it was |
//!
//! A response can be a failure, and a caller's own error should be none: the [classifier] decides.
//! An error of the inner `poll_ready` is a result like any other: the fallback is ready then, and
//! its next call starts with that error. A panic of a strategy reaches the caller, and leaves
//! nothing behind in the service.
//!
//! *Strategies.* [`Value`]; [`from_fn`], [`from_request_fn`] and their async twins; [`Backup`]; with
//! the feature `cache` `cached::Cached` and `cached::Stale`. Each has `.or(next)`, `.within(budget)` and `.named(name)`. `Clone` of requests is asked by
//! those that keep them, `Clone` of a response by [`Value::of`], of an error by none.
//!
//! *Modes.* On any failure; [only when a circuit is open](FallbackLayer::only_when_open);
//! [only while health says so](FallbackLayer::by_health), and then at once; after some retries
//! (`FallbackLayer::after_retries`, feature `retry`).
//!
//! *Hanging services.* Without a budget the fallback waits for the inner service as long as that
//! takes. With [`inner_within`](FallbackLayer::inner_within) it is always ready, and answers when
//! the service is not ready or hangs. This adds an error ([`Elapsed`]), so the error of the whole
//! is a [`BoxError`](crate::BoxError); without it, errors keep their type.
//!
//! | setting | default |
//! |---|---|
//! | [`classify`](FallbackLayer::classify) | every error is a failure |
//! | [`inner_within`](FallbackLayer::inner_within) | no limit |
//! | `within` of a strategy | no limit |
//! | [`served`](FallbackLayer::served) | off: responses are those of the inner service |
//! | [`named`](FallbackLayer::named) | `fallback` |
//! | [`observe`](FallbackLayer::observe) | nobody |
//!
//! # What it tells observers
//!
//! [`FellBack`](crate::event::Event::FellBack) when a strategy answered a failed call,
//! [`FallbackFailed`](crate::event::Event::FallbackFailed) with the reason of each strategy when
//! none did. Calls that need no fallback make no event.
//!
//! # Where it stands
//!
//! Outside of the circuit breaker, whose refusals it answers, and inside of the total deadline.
//! [`inner_within`](FallbackLayer::inner_within) can be written out:
//!
//! ```
//! # use std::time::Duration;
//! # use tower_failover::BoxError;
//! use tower::{ServiceBuilder, timeout::TimeoutLayer};
//! use tower_failover::fallback::{BudgetLayer, FallbackLayer, Value};
//! # let redis = tower::service_fn(async |_: u32| Ok::<_, BoxError>(""));
//!
//! let stack = ServiceBuilder::new()
//!     .layer(TimeoutLayer::new(Duration::from_secs(1))) // total deadline
//!     .layer(FallbackLayer::new(Value::with(|| "later")))
//!     .layer(BudgetLayer::new(Duration::from_millis(500))) // .inner_within(…)
//!     // retries, circuit breaker, attempt timeout
//!     .service(redis);
//! # drop(tower::ServiceExt::oneshot(stack, 1));
//! ```
//!
//! There a classifier of your own sees [`Elapsed`] too. A layer that is always ready takes every
//! call: a concurrency limit belongs above.
//!
//! [classifier]: crate::Classify

mod audience;
mod backup;
pub mod budget;
#[cfg(feature = "cache")]
#[cfg_attr(docsrs, doc(cfg(feature = "cache")))]
pub mod cached;
mod chain;
mod failed;
mod function;
pub mod future;
mod is_result;
mod layer;
mod marked;
mod or_elapsed;
mod plain;
mod plan;
#[cfg(feature = "retry")]
mod retries;
mod served;
mod service;
mod shape;
mod source;
mod strategy;
mod unready;
#[cfg(feature = "redis")]
mod unshared;
mod value;
mod when_open;
mod when_target_unhealthy;
mod when_unhealthy;
mod with;

#[cfg(feature = "retry")]
#[cfg_attr(docsrs, doc(cfg(feature = "retry")))]
pub use self::retries::Retries;
#[cfg(feature = "redis")]
pub(crate) use self::unshared::unshared;
pub use self::{
    backup::Backup,
    budget::{Budget, BudgetLayer, Elapsed},
    chain::{Named, Or, Within},
    failed::Failed,
    function::{
        FromAsyncFn, FromAsyncRequestFn, FromFn, FromRequestFn, from_async_fn,
        from_async_request_fn, from_fn, from_request_fn,
    },
    is_result::IsResult,
    layer::FallbackLayer,
    marked::Marked,
    or_elapsed::OrElapsed,
    plain::Plain,
    plan::Plan,
    served::Served,
    service::Fallback,
    shape::Shape,
    source::Source,
    strategy::Strategy,
    value::Value,
    when_open::WhenOpen,
    when_target_unhealthy::WhenTargetUnhealthy,
    when_unhealthy::WhenUnhealthy,
    with::With,
};
