use std::error::Error;

use crate::{BoxError, Classify, Outcome, circuit_breaker::Open};

/// Treats as failure only the refusal of an open circuit: an [`Open`], or an error that has one
/// among its sources.
///
/// A response is a success; any other error is ignored, and goes to the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct WhenOpen;

impl<T> Classify<T, BoxError> for WhenOpen {
    fn classify(&self, result: &Result<T, BoxError>) -> Outcome {
        match result {
            Ok(_) => Outcome::Success,
            Err(error) if is_open(error) => Outcome::Failure,
            Err(_) => Outcome::Ignored,
        }
    }
}

/// Whether a circuit refused the call.
pub(super) fn is_open(error: &BoxError) -> bool {
    let mut next: Option<&(dyn Error + 'static)> = Some(error.as_ref());
    while let Some(error) = next {
        if error.is::<Open>() {
            return true;
        }
        next = error.source();
    }
    false
}
