//! Who else can do it? Several backends that behave as one service.
//!
//! # When to use it
//!
//! Before backends of which each could answer: Redis in three regions, the origins of a site, the
//! levels of a cache (memory, Redis, a static answer). One of them serves. When it fails, is slow or
//! unhealthy, the next one does, within the same call if that is safe; when it is back, it is gone
//! back to. It does not spread load: that is a balancer's.
//!
//! # Example
//!
//! ```
//! use std::io;
//! use tower::{Service, ServiceExt, service_fn, util::BoxCloneService};
//! use tower_failover::{
//!     BoxError,
//!     failover::{Backend, Failover, Repeat, Trigger},
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let eu = service_fn(async |_: u64| {
//!     Err::<&str, BoxError>(io::Error::from(io::ErrorKind::ConnectionRefused).into())
//! });
//! let us = service_fn(async |_: u64| Ok::<_, BoxError>("an answer"));
//!
//! let (mut failover, upkeep) = Failover::builder("sessions")
//!     .backend(Backend::new("eu", BoxCloneService::new(eu)))
//!     .backend(Backend::new("us", BoxCloneService::new(us)).tier(1))
//!     .repeat(Repeat::IfNotApplied)
//!     .build();
//! tokio::spawn(upkeep);
//!
//! assert_eq!(failover.ready().await?.call(7).await?, "an answer");
//! let switch = failover.control().history().pop().expect("it was left");
//! assert_eq!(switch.trigger(), Trigger::Connection);
//! assert_eq!(failover.status().active.unwrap().as_str(), "us");
//! # Ok(())
//! # }
//! ```
//!
//! # How it behaves
//!
//! **Who serves.** The lowest tier with a backend that can; among those of a tier the best
//! [score](Weights). From then on it serves as long as it can: scores are looked at when a backend is
//! chosen, and never make one leave. A backend can serve while it is up, its
//! [health](Backend::health) does not call it unhealthy, and its [circuit](Backend::circuit) does not
//! refuse. One that is degraded serves only when all are.
//!
//! **When it is left**, by [`Trigger`]:
//!
//! | trigger | when |
//! |---|---|
//! | `connection` | a call failed ([`Mode::AtOnce`], [`Policy::leave_after`]) |
//! | `timeout` | a call was not answered within [`Policy::attempt_timeout`], or was given up before that but not before [`Policy::cancelled_after`] |
//! | `health`, `degradation` | its health says so; no call is needed for that |
//! | `circuit` | its circuit is open |
//! | `cascade` | any of these, soon after it took over ([`Policy::cascade_within`]) |
//! | `manual` | [`Control::fail_over`], [`Control::recover`] |
//!
//! A failed call makes nobody leave while no other backend can serve: one that fails now and then is
//! better than none. If it then answers nothing for a [`Recovery::check_every`], the next one of
//! which a check was good takes its place.
//!
//! **Which calls move.** What was refused before it was sent always goes on to the next backend. A
//! call that was sent goes on as its [`Repeat`] says:
//!
//! | the call | [`Never`](Repeat::Never) | [`IfNotApplied`](Repeat::IfNotApplied) (default) | [`Always`](Repeat::Always) |
//! |---|---|---|---|
//! | did certainly nothing | its error | goes on | goes on |
//! | [may have run](may_have_run()) | its error | [`MayHaveRun`] | goes on |
//! | was answered by a failure | that answer | that answer | goes on |
//!
//! A call is sent to at most [`Policy::attempts`] backends and takes at most [`Policy::budget`]; then
//! its last error is the caller's. [`NoBackend`] tells that none was left to try, and why of each. If an
//! earlier attempt may have run, no error says that nothing did: it is in a [`MayHaveRun`].
//!
//! **How it is gone back to.** A backend that was left is checked by its monitor, or, without one,
//! tried by calls: by those that may always be repeated, or, if a [`Recovery::check_every`] goes by
//! without one of these, by any. A trial that fails is a failed call like any other: it goes on as
//! the table says, so that one which may have run is lost to the caller. A
//! [monitor](crate::health::Monitor) spares the calls this. After good checks in a row, and a wait that is
//! jittered and grows if it is left again soon, it is [brought up to date](Backend::catch_up), and
//! then serves again if its tier or weight is better; see [`Recovery`]. When nobody serves, any call
//! is a trial and the first good check is enough.
//!
//! The [`Upkeep`] does the checks and the waits: without it a failover leaves, but does not go back.
//! The settings, their units and defaults are tabled at [`Policy`] and [`Recovery`].
//!
//! # What it tells observers
//!
//! [`Event::Switched`](crate::event::Event::Switched), in their order, after the new backend is the
//! one that calls go to. [`Control::history`] keeps the last 64, and of each whether it helped.
//!
//! # In a stack
//!
//! A [fallback](crate::fallback) and a total deadline (not below [`Policy::budget`]) belong above it. A
//! timeout above it that is not longer than an attempt gives up calls before they can move: those calls
//! are lost, though the backend is charged for them if they waited long enough. Below it, per backend:
//! its own connection, and a timeout only if it is to be shorter than an attempt. Circuit and health
//! are given to the [`Backend`] and not put before its service, so that each attempt settles the
//! circuit of the backend that it was with.
//!
//! While nothing is wrong a call reads one atomic word, and no clock except for one call in sixteen
//! and for those that are not answered at once; it takes no lock and allocates nothing.

mod add_error;
#[cfg(feature = "retry")]
mod after_retries;
mod backend;
mod backend_state;
mod build_error;
mod builder;
mod by;
mod catch_up;
mod control;
mod elapsed;
mod fail_over_error;
#[expect(clippy::module_inception, reason = "a file is named after its type")]
mod failover;
pub mod future;
mod may_have_run;
mod mode;
mod no_backend;
mod policy;
mod repeat;
mod repeats;
mod seat;
mod status;
mod switchboard;
mod upkeep;

#[cfg(feature = "retry")]
pub use self::after_retries::AfterRetries;
pub use self::{
    add_error::AddError,
    backend::Backend,
    backend_state::BackendState,
    build_error::BuildError,
    builder::Builder,
    by::By,
    control::Control,
    elapsed::Elapsed,
    fail_over_error::FailOverError,
    failover::Failover,
    may_have_run::{MayHaveRun, may_have_run},
    mode::Mode,
    no_backend::NoBackend,
    policy::Policy,
    repeat::Repeat,
    repeats::Repeats,
    status::{BackendStatus, Status},
    upkeep::Upkeep,
};
use self::{
    catch_up::CatchUp,
    switchboard::{Choice, Target},
};
pub use crate::{
    event::Switch,
    logic::{
        policy::PolicyError,
        roster::{Recovery, Trigger},
        score::Weights,
    },
};
