//! Promises of the fallback, through its public API.

mod answers;
mod bounds;
mod budget;
mod cancellation;
mod chain;
mod learning;
mod readiness;
#[cfg(feature = "retry")]
mod retries;
mod support;
mod triggers;
