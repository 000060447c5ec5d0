//! A failover over real servers that are killed, paused, and put behind a broken network.
#![cfg(feature = "redis")]
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests take real time, spawn, and unwrap in their helpers too"
)]

#[path = "../support/mod.rs"]
mod support;

mod commands;
mod counted;
mod fleet;
mod rows;
mod together;
