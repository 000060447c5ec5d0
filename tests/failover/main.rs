//! Promises of the failover, through its public API.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod calls;
mod charges;
mod moves;
mod recovery;
mod support;
