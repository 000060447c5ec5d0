//! Promises of the failover, through its public API.
#![allow(clippy::disallowed_methods, reason = "tests have a runtime of their own to spawn on")]

mod calls;
mod cancellation;
mod catch_up;
mod charges;
mod history;
mod membership;
mod moves;
mod nobody;
mod panics;
mod recovery;
mod support;
