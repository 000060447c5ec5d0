//! May it go, by what its checks say? A target is probed on its own schedule.
//!
//! # When to use it
//!
//! Where calls alone learn too late that a target is dead or slow: because there are few of them,
//! because each costs a timeout, or because somebody else can take them meanwhile
//! ([failover](crate::failover), [`FallbackLayer::by_health`](crate::FallbackLayer::by_health)). A
//! [circuit](crate::circuit_breaker) learns from calls and asks nobody; health asks, and learns from
//! the answers. The two go together: a circuit, or a connection, can [tell](Health::signals) a health
//! at once what the next check would find out.
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//! use tower_failover::{
//!     BoxError,
//!     event::Event,
//!     health::{Grade, Health, HealthGateLayer, Policy, ServiceProbe, Unhealthy},
//! };
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), BoxError> {
//! let backend = service_fn(async |path: &'static str| match path {
//!     "/healthz" => Err(BoxError::from("disk full")),
//!     path => Ok(path),
//! });
//! let (health, monitor) = Health::builder("inventory")
//!     .policy(Policy::new().interval(Duration::from_secs(2)))
//!     .observe(|event: &Event<'_>| println!("{event}"))
//!     .probe(ServiceProbe::new(backend, "/healthz"))
//!     .monitor();
//! tokio::spawn(monitor); // ends with the last handle
//!
//! let mut service =
//!     ServiceBuilder::new().layer(HealthGateLayer::new(health.clone())).service(backend);
//! assert_eq!(service.ready().await?.call("/items").await?, "/items"); // nothing is known yet
//!
//! assert_eq!(health.check_now().await, Grade::Unhealthy);
//! let error = service.ready().await?.call("/items").await.unwrap_err();
//! let unhealthy = Unhealthy::find(&*error).expect("refused without calling");
//! assert_eq!(unhealthy.reason(), "disk full");
//! assert!(unhealthy.retry_after().unwrap() <= Duration::from_secs(4));
//! # Ok(())
//! # }
//! ```
//!
//! Without probes there is no monitor, and the handle knows what it is told: [`Health::succeeded`],
//! [`Health::failed`], [`Health::down`], [`Health::up`]. A gate needs a monitor, or somebody who sees
//! the target although the gate is shut, as a circuit that is [heard](Health::signals) does: over a
//! health that learns only from the calls behind that gate it stays shut after the first failure.
//!
//! # How it behaves
//!
//! | grade | a call | becomes |
//! |---|---|---|
//! | unknown | passes, waits or is refused, as [chosen](WhileUnknown) | healthy or unhealthy with the first check |
//! | healthy | passes | degraded when it is slow or fails too often; unhealthy after `fall` bad checks in a row |
//! | degraded | passes; a failover prefers others | healthy when that is over; unhealthy after `fall` bad checks in a row |
//! | unhealthy | is refused with [`Unhealthy`], or [held](HealthGateLayer::hold_for) | healthy or degraded after `rise` good checks in a row |
//!
//! | setting | default |
//! |---|---|
//! | `interval`, less up to `jitter` | 1 s, 10 % |
//! | `timeout` of a check | 500 ms |
//! | `probes_per_check`, `quorum` | 1, all |
//! | `fall`, `rise` | 3, 2 |
//! | `slow_factor`, `slow_margin` | 3 times the baseline, and 1 ms above it |
//! | `latency_half_life`, `baseline_half_life` | 2 s, 5 min |
//! | `success_floor` | 80 % of the last 20 checks |
//! | `while_unknown` | pass |
//!
//! Their ranges are tabled at [`Policy`].
//!
//! *Checks* begin an interval apart from start to start, the first one at once. All probes of a
//! check, each as often as `probes_per_check` says, run at the same time and under one timeout. The
//! check ends as soon as its quorum is certain. So a target that stops answering is called unhealthy
//! within `fall · interval + timeout` ([`Policy::detects_within`]: 3.5 s by default), and one that
//! answers again is called so within `rise · interval + timeout` ([`Policy::recovers_within`]).
//! [`Health::check_now`] does not wait for the interval.
//!
//! *Bad news is believed, good news is checked.* [`Health::down`] counts at once, and a check that
//! began before it does not speak against it. [`Health::up`] has the monitor check at once, and
//! as often as `rise` still wants, an eighth of an interval apart; it counts by itself only where
//! there is no monitor. [`Health::failed`] counts always, [`Health::succeeded`] only without a
//! monitor: calls that succeed do not hide probes that fail.
//!
//! *Refusals that end.* Where no monitor looks, what a circuit called down is refused as long as that
//! is open. Then it is unknown, by the clock alone: calls pass, no observer is told, and it becomes
//! healthy by good reports. So is who is unhealthy or unknown when its monitor goes.
//!
//! *Slow.* Of good checks two averages over time are kept: of late, and of what is usual (the
//! baseline). A target is degraded while the first is above `slow_factor` times the second and more
//! than `slow_margin` above it, until it is below four fifths of that again; the baseline says
//! something from 10 checks on. One long pause is not enough, by the default factor, since a single
//! check counts no more than twice what is slow, and with a monitor the half-life of the first is at
//! least twice the interval. A target that is degraded or
//! unhealthy does not change its baseline: what became slow for good, as after a move, stays
//! degraded until [`Health::forget_baseline`].
//!
//! *Failing.* It is degraded, too, while fewer than `success_floor` of its last 20 checks were good,
//! until half of what was missing is made up. Checks before an outage, and those of it, do not count:
//! the window begins when the target is back, and says something from 10 checks on.
//!
//! *Probes* may fail, hang and panic: each makes a bad check, and nothing stops the monitor but the
//! end of the last handle. What a probe must not do is block its thread. When a monitor is dropped, its
//! target is not refused any more for what was found by then.
//!
//! # What it costs
//!
//! A call reads one atomic word: no lock, no allocation, no clock. A refused call takes a lock for
//! its error, as does who asks for a grade that the clock decides. A target, its monitor and its history of 64 changes stay below 64 KiB, since every
//! text that is kept is cut after 256 bytes.
//!
//! # What it tells observers
//!
//! [`Event::Health`](crate::event::Event::Health) for each change of grade, in their order, when
//! [`Health::grade`] says so already. An observer that panics is passed over; one that calls back
//! harms nothing.
//!
//! # Where it stands
//!
//! Below a fallback, above the circuit breaker and the timeout of an attempt.

mod builder;
mod check;
mod control;
#[expect(clippy::module_inception, reason = "a file is named after its type")]
mod health;
pub mod hold;
mod layer;
mod monitor;
mod post;
mod probe;
mod report;
mod round;
mod rounds;
mod service_probe;
mod shared;
mod sign;
mod signals;
mod snapshot;
mod unhealthy;

pub use self::{
    builder::{Builder, NoProbes, Probes},
    check::Check,
    health::Health,
    layer::{HealthGate, HealthGateLayer},
    monitor::Monitor,
    probe::{Checking, Probe},
    service_probe::ServiceProbe,
    signals::Signals,
    snapshot::Snapshot,
    unhealthy::Unhealthy,
};
pub use crate::{
    event::HealthChange,
    logic::{
        health::{Grade, Policy, Quorum, WhileUnknown},
        policy::PolicyError,
    },
};
