//! Answers from a cache: fresh without a call, stale when the call fails.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod coalesced;
mod smoke;
