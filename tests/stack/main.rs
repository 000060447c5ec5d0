//! The fault table of the whole stack: fallback over circuit over Redis, against real servers.
//!
//! Each row prints one line with what really happened and the middle and worst of its times. Each
//! guard has a twin without it, in which the same check must fail.
#![cfg(all(feature = "redis", target_os = "linux"))]
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests take real time, spawn, and unwrap in their helpers too"
)]
mod harness;
#[path = "../support/mod.rs"]
mod support;

mod callers_own;
mod cancellation;
mod credentials;
mod rows;
