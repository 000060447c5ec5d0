//! Did it work? Classifiers turn the result of a call into an [`Outcome`].
//!
//! A classifier says what it treats as failure. Any closure over the result is one:
//!
//! ```
//! use tower_failover::{Classify, Outcome};
//!
//! let server_errors = |result: &Result<u16, std::io::Error>| match result {
//!     Ok(status) if *status >= 500 => Outcome::Failure,
//!     Ok(_) => Outcome::Success,
//!     Err(_) => Outcome::Failure,
//! };
//! assert_eq!(server_errors.classify(&Ok(503)), Outcome::Failure);
//! ```

use std::time::Duration;

/// How a call ended, as seen by who decides about the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The backend answered. An error that is the caller's own is a success of the backend.
    Success,
    /// The backend did not do its work.
    Failure,
    /// Says nothing about the backend: not counted at all.
    Ignored,
}

/// Decides what the result of a call says about the backend.
///
/// Implemented by every `Fn(&Result<T, E>) -> Outcome`, by [`ErrorsAreFailures`], and by the
/// ready-made classifiers of the adapters.
pub trait Classify<T, E> {
    /// Tells how the call ended.
    fn classify(&self, result: &Result<T, E>) -> Outcome;

    /// How long the backend asked to be left alone, as `Retry-After` does.
    ///
    /// Asked only for failures. A circuit that opens on one stays open at least this long, within
    /// [`Policy::longest_retry_after`](crate::circuit_breaker::Policy::longest_retry_after).
    fn retry_after(&self, result: &Result<T, E>) -> Option<Duration> {
        let _ = result;
        None
    }
}

impl<F, T, E> Classify<T, E> for F
where
    F: Fn(&Result<T, E>) -> Outcome,
{
    fn classify(&self, result: &Result<T, E>) -> Outcome {
        self(result)
    }
}

/// Treats every `Err` as a failure and every `Ok` as a success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ErrorsAreFailures;

impl<T, E> Classify<T, E> for ErrorsAreFailures {
    fn classify(&self, result: &Result<T, E>) -> Outcome {
        match result {
            Ok(_) => Outcome::Success,
            Err(_) => Outcome::Failure,
        }
    }
}
