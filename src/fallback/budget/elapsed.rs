use std::{error::Error, fmt, time::Duration};

/// The error of a service that did not get ready and answer within its budget.
///
/// The request may have run: the service may have been cut off in the middle of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elapsed {
    after: Duration,
}

impl Elapsed {
    pub(in crate::fallback) const fn new(after: Duration) -> Self {
        Self { after }
    }

    /// The budget that was spent.
    #[must_use]
    pub const fn after(&self) -> Duration {
        self.after
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no answer of the service within {:?}", self.after)
    }
}

impl Error for Elapsed {}
