//! Tower layers that keep a service answering while its backend does not.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod circuit_breaker;
pub mod classify;
mod clock;
pub mod event;
mod logic;
#[cfg(feature = "redis")]
pub mod redis;

pub use self::{
    classify::{Classify, ErrorsAreFailures, Outcome},
    logic::{Backoff, Ratio},
};

/// An error of any type, as Tower's own middleware has it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
