use crate::{BoxError, Classify, Outcome, event::Name, health::Unhealthy};

/// Treats as failure only the refusal of one unhealthy target, among the sources of an error or
/// itself; see [`FallbackLayer::by_health`](super::FallbackLayer::by_health).
///
/// A response is a success; any other error is ignored, and goes to the caller.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WhenTargetUnhealthy {
    pub(super) target: Name,
}

impl<T> Classify<T, BoxError> for WhenTargetUnhealthy {
    fn classify(&self, result: &Result<T, BoxError>) -> Outcome {
        let Err(error) = result else { return Outcome::Success };
        match Unhealthy::find(&**error) {
            Some(unhealthy) if unhealthy.target() == self.target.as_str() => Outcome::Failure,
            Some(_) | None => Outcome::Ignored,
        }
    }
}
