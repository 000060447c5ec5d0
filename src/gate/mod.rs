//! Asks a guard before each call, and refuses without touching the inner service if it says no.
//!
//! [`Gate`] is the one service of this crate that refuses. A circuit breaker is a gate whose
//! [`Guard`] is a [`Circuit`](crate::circuit_breaker::Circuit); a feature flag, a read-only mode or
//! a limit of your own is a gate with another guard:
//!
//! ```
//! use std::sync::{Arc, atomic::{AtomicBool, Ordering}};
//! use tower::{Service, ServiceExt};
//! use tower_failover::{BoxError, gate::{Gate, Guard}};
//!
//! #[derive(Clone, Default)]
//! struct Maintenance(Arc<AtomicBool>);
//!
//! impl<Request> Guard<Request> for Maintenance {
//!     type Pass = ();
//!     type Rejection = BoxError;
//!
//!     fn refusal(&self) -> Option<BoxError> {
//!         self.0.load(Ordering::Relaxed).then(|| "down for maintenance".into())
//!     }
//!
//!     fn admit(&self, _: &Request) -> Result<(), BoxError> {
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let maintenance = Maintenance::default();
//! let echo = tower::service_fn(async |word: &'static str| Ok::<_, BoxError>(word));
//! let mut service = Gate::new(echo, maintenance.clone());
//!
//! assert_eq!(service.ready().await.unwrap().call("hello").await.unwrap(), "hello");
//! maintenance.0.store(true, Ordering::Relaxed);
//! let error = service.ready().await.unwrap().call("hello").await.unwrap_err();
//! assert_eq!(error.to_string(), "down for maintenance");
//! # }
//! ```
//!
//! # Readiness
//!
//! A gate that refuses is ready at once: `poll_ready` asks [`Guard::refusal`] before the inner
//! service, and what it decides, `call` does. A task that waits for the inner service is woken when
//! the gate shuts ([`Guard::waiters`]). An error or a panic of the inner `poll_ready` is charged to
//! the guard ([`Guard::charge`]).
//!
//! What the inner service reserved when it was ready stays reserved if the gate shuts before the
//! call, until the same instance is called or dropped: a concurrency limit belongs above a gate.
//!
//! # Settling
//!
//! An admitted call carries a [`Pass`], which is settled exactly once: by [`Settle`] with the
//! result, as a failure if the inner service panics, or by being dropped with the future, which
//! means that the call was cancelled. [`AtHead`] settles as soon as the inner future is done.

pub mod future;
mod guard;
mod held;
mod layer;
mod pass;
mod service;
mod settle;
mod unready;
mod waiters;

pub(crate) use self::held::Held;
pub(crate) use self::waiters::Waiter;
pub use self::{
    guard::Guard,
    layer::GateLayer,
    pass::Pass,
    service::Gate,
    settle::{AtHead, Settle},
    waiters::Waiters,
};
