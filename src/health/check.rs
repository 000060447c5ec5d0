use std::time::{Duration, SystemTime};

use crate::event::Name;

/// A check that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub(super) at: SystemTime,
    pub(super) took: Duration,
    pub(super) error: Option<Name>,
}

impl Check {
    /// When it began, by the wall clock.
    #[must_use]
    pub fn at(&self) -> SystemTime {
        self.at
    }

    /// How long it took.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.took
    }

    /// Whether it was good.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.error.is_none()
    }

    /// What went wrong, if it was not good; cut after 256 bytes.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.error.as_ref().map(Name::as_str)
    }
}
