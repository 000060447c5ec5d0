//! Refuses calls to a backend that keeps failing, and lets it come back by itself.
//!
//! # When to use it
//!
//! Before anything that can be down or slow for a while: a cache, a database, another service. A
//! backend that fails is left alone, its callers learn so at once instead of waiting for a timeout,
//! and a [fallback](crate::fallback) can answer in its place.
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//! use tower::{Service, ServiceBuilder, ServiceExt};
//! use tower_failover::{
//!     Backoff, BoxError,
//!     circuit_breaker::{Circuit, CircuitBreakerLayer, Open, Policy, State},
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let circuit = Circuit::builder("inventory")
//!     .policy(Policy::consecutive(3).open_for(Backoff::fixed(Duration::from_secs(2))))
//!     .observe(|event: &tower_failover::event::Event<'_>| println!("{event}"))
//!     .build();
//! let mut service = ServiceBuilder::new()
//!     .layer(CircuitBreakerLayer::new(circuit.clone()))
//!     .timeout(Duration::from_millis(100)) // inside: a timeout is a failure
//!     .service_fn(async |_: u64| Err::<u32, BoxError>("connection refused".into()));
//!
//! for _ in 0..3 {
//!     assert!(service.ready().await?.call(7).await.is_err());
//! }
//! assert_eq!(circuit.state(), State::Open);
//!
//! let error = service.ready().await?.call(7).await.unwrap_err();
//! let open = error.downcast_ref::<Open>().expect("refused without calling");
//! assert_eq!(open.circuit(), "inventory");
//! assert!(open.retry_after().unwrap() <= Duration::from_secs(2));
//! # Ok(())
//! # }
//! ```
//!
//! Without Tower: [`Circuit::call`] runs a future, [`Circuit::permit`] hands out the bare right.
//!
//! # How it behaves
//!
//! | state | a call | becomes |
//! |---|---|---|
//! | closed | passes and is counted | open, when a criterion of the [`Policy`] is met |
//! | open | is refused with [`Open`] | half-open, with the first call after the open time |
//! | half-open | passes while fewer than `probes` are in flight | closed after `successes_to_close` in a row; open after one failure, slow call or overdue probe |
//! | forced open, forced closed | is refused; passes and is not counted | closed, when released or at its own end |
//! | metrics only | passes and is counted | closed, when released or at its own end |
//!
//! The settings, their units and defaults are tabled at [`Policy`]; [`Policy::eager`] and
//! [`Policy::patient`] are presets.
//!
//! *Windows slide.* The last N calls, or the last T seconds in ten slices: what is older does not
//! count. What was counted before a trip is not counted after closing.
//!
//! *Periods.* Every change of state starts a new period, and every [`Permit`] carries the one that
//! issued it. An answer that comes late, from an earlier period, changes nothing.
//!
//! *Probes.* A probe that is cancelled or never polled frees its place, one that panics has failed,
//! and one that does not end within `probe_deadline` has failed too: the next caller finds the
//! circuit open again. Nothing keeps a circuit half-open.
//!
//! *Cancelled calls* say nothing by default. With [`Cancelled::FailureAfter`] they count once they
//! had run for a while. A panic of the inner service is a failure.
//!
//! *Readiness.* An error of the inner `poll_ready` counts like that of a call. An open circuit does
//! not poll the inner service, and refuses without a timer or a runtime. A task that waits for the
//! inner service when the circuit opens is woken and refused.
//!
//! *The handle* is a cheap clone and outlives its layers. One circuit serves any number of layers,
//! services and clones; [`Circuits`] makes them by key. The state of a circuit lives in a slot that
//! is reused by later circuits and not given back to the allocator, so that a call needs no
//! reference count: memory is bounded by the most circuits that lived at one time (about 1 kB each).
//!
//! # What it costs
//!
//! An admitted call of a closed circuit takes no lock, allocates nothing, and reads no clock unless
//! the policy needs one: a window of time reads the kernel's coarse clock, which costs a fifth of
//! an exact reading and is right to a few milliseconds. A refused call allocates its error.
//!
//! # What it tells observers
//!
//! [`Event::Transition`](crate::event::Event::Transition) for each change of state, in their order,
//! and [`Event::Refused`](crate::event::Event::Refused) for each refused call if somebody
//! [wants](crate::event::Observer::wants_refusals) those.
//!
//! # Where it stands
//!
//! ```text
//! total deadline → fallback → circuit breaker → attempt timeout → client
//! ```
//!
//! Inside the fallback, which answers its refusals, and *outside* the timeout of an attempt: a
//! timeout outside the breaker cancels the calls of a hung backend, and a cancelled call says
//! nothing, so the circuit would never open. If the stack cannot be reordered, count cancelled
//! calls: [`Policy::cancelled`].
//!
//! A balancer that prefers fast services (`tower::balance`) sees an open circuit as ready and very
//! fast. Balance below the breaker, or count refusals as load.

mod builder;
mod call;
mod circuit;
mod circuits;
mod keyed;
mod layer;
mod lease;
mod open;
mod permit;
mod roster;
mod slot;
mod snapshot;

pub use self::{
    builder::Builder,
    call::{Call, CallError},
    circuit::Circuit,
    circuits::Circuits,
    keyed::Keyed,
    layer::{CircuitBreaker, CircuitBreakerLayer},
    open::Open,
    permit::Permit,
    snapshot::{Share, Snapshot},
};
pub use crate::logic::{
    State,
    policy::{Cancelled, Policy, PolicyError, Rate, Window},
};
