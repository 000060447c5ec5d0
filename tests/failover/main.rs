//! Promises of the failover, through its public API.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests spawn openly and fail by panicking"
)]

mod calls;
mod cancellation;
mod catch_up;
mod charges;
mod errors;
mod fleet;
mod history;
mod http_origins;
mod idle;
mod leftovers;
mod membership;
mod moves;
mod nobody;
mod outages;
mod panics;
mod probes;
mod recovery;
mod rescue;
mod retries;
mod service;
mod support;
mod waiting;
