//! Promises of the fallback, through its public API.

mod answers;
mod backup;
mod bounds;
mod budget;
mod cancellation;
mod chain;
mod learning;
#[cfg(feature = "tracing")]
mod log;
mod panics;
mod readiness;
#[cfg(feature = "retry")]
mod retries;
mod support;
mod triggers;
mod with_a_circuit;
