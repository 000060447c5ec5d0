use std::time::Duration;

use super::Elapsed;
use crate::{BoxError, Classify, Outcome};

/// Treats as failure an [`Elapsed`] budget of the inner service, and what another classifier does.
///
/// [`FallbackLayer::inner_within`](super::FallbackLayer::inner_within) makes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct OrElapsed<C> {
    classifier: C,
}

impl<C> OrElapsed<C> {
    /// Asks `classifier` about everything else.
    pub const fn new(classifier: C) -> Self {
        Self { classifier }
    }
}

impl<C, T> Classify<T, BoxError> for OrElapsed<C>
where
    C: Classify<T, BoxError>,
{
    fn classify(&self, result: &Result<T, BoxError>) -> Outcome {
        match result {
            Err(error) if error.is::<Elapsed>() => Outcome::Failure,
            Ok(_) | Err(_) => self.classifier.classify(result),
        }
    }

    fn retry_after(&self, result: &Result<T, BoxError>) -> Option<Duration> {
        self.classifier.retry_after(result)
    }
}
