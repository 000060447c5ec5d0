//! Tower layers that keep a service answering while its backend does not.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod circuit_breaker;
pub mod classify;
mod clock;
pub mod event;
pub mod fallback;
pub mod gate;
mod logic;

pub use self::{
    classify::{Classify, ErrorsAreFailures, Outcome},
    fallback::FallbackLayer,
    logic::{Backoff, Ratio},
};

/// An error of any type, as Tower's own middleware has it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
