//! What of HTTP is kept, for whom, and for how long.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod annotated;
mod errors;
mod hostile;
mod keys;
mod model;
mod privacy;
mod requests;
mod responses;
mod support;
mod terms;
mod variants;
mod waiting;
mod wire;
