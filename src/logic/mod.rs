//! Ring 0: what is decided, without clocks, tasks, sockets, randomness or logs.
//!
//! Time and random numbers are arguments, changes are return values.

mod backoff;
pub(crate) mod breaker;
#[cfg(feature = "cache")]
mod freshness;
pub(crate) mod health;
#[cfg(all(test, tower_failover_loom))]
mod loom_tests;
pub(crate) mod meter;
mod moment;
pub(crate) mod policy;
mod ratio;
#[cfg(feature = "cache")]
pub(crate) mod relay;
pub(crate) mod roster;
pub(crate) mod score;
pub(crate) mod sign;
mod state;
mod streak;
mod sync;
#[cfg(all(test, not(tower_failover_loom)))]
mod testing;
mod window;

pub use backoff::Backoff;
#[cfg(feature = "cache")]
pub(crate) use freshness::{Condition, Freshness};
pub(crate) use moment::{Moment, nanos};
pub(crate) use policy::Policy;
pub use ratio::Ratio;
pub use state::{Cause, State};

pub(crate) use window::Tally;
