use crate::{BoxError, Classify, Outcome, health::Unhealthy};

/// Treats as failure only the refusal of an unhealthy target: an [`Unhealthy`], or an error that
/// has one among its sources.
///
/// A response is a success; any other error is ignored, and goes to the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct WhenUnhealthy;

impl<T> Classify<T, BoxError> for WhenUnhealthy {
    fn classify(&self, result: &Result<T, BoxError>) -> Outcome {
        match result {
            Ok(_) => Outcome::Success,
            Err(error) if is_unhealthy(error) => Outcome::Failure,
            Err(_) => Outcome::Ignored,
        }
    }
}

/// Whether the call was refused for the health of its target.
pub(super) fn is_unhealthy(error: &BoxError) -> bool {
    Unhealthy::find(&**error).is_some()
}
