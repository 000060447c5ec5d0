use std::{error::Error, fmt, time::Duration};

use crate::event::Name;

/// The error of an attempt that took too long: the backend did not get ready and answer in time.
///
/// The request may have run: the backend may have been cut off in the middle of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elapsed {
    backend: Name,
    after: Duration,
}

impl Elapsed {
    pub(super) const fn new(backend: Name, after: Duration) -> Self {
        Self { backend, after }
    }

    /// The backend that did not answer.
    #[must_use]
    pub const fn backend(&self) -> &Name {
        &self.backend
    }

    /// How long it was waited for.
    #[must_use]
    pub const fn after(&self) -> Duration {
        self.after
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no answer of backend {} within {:?}", self.backend, self.after)
    }
}

impl Error for Elapsed {}
