//! Ring 0: what is decided, without clocks, tasks, sockets, randomness or logs.
//!
//! Time and random numbers are arguments, changes are return values.

mod backoff;
mod moment;
mod ratio;
mod state;

pub use backoff::Backoff;
pub(crate) use moment::{Moment, nanos};
pub use ratio::Ratio;
pub use state::{Cause, State};
