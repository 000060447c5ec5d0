//! Promises of cached and stale answers, through their public API.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
#![allow(clippy::disallowed_methods, reason = "tests spawn as their users do")]

mod bounds;
mod chain;
mod coalesced;
mod economy;
mod fresh;
mod invalidation;
mod keeper;
mod learning;
mod model;
mod negative;
mod order;
mod panics;
mod race;
mod router;
mod services;
mod support;
mod terms;
mod upkeep;
