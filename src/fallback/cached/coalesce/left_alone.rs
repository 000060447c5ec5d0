use std::{error::Error, fmt, time::Duration};

/// A call was not made, because the last one for the same answer failed a short while ago and the
/// kept answer may still be used.
///
/// Answered with that by the fallback above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftAlone {
    retry_after: Duration,
}

impl LeftAlone {
    pub(super) const fn new(retry_after: Duration) -> Self {
        Self { retry_after }
    }

    /// The time until the next call for this answer is made.
    #[must_use]
    pub const fn retry_after(&self) -> Duration {
        self.retry_after
    }
}

impl fmt::Display for LeftAlone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the source is left alone for {:?} after a failed refresh", self.retry_after)
    }
}

impl Error for LeftAlone {}
