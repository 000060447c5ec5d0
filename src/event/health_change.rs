use std::{fmt, time::SystemTime};

use super::{Grade, Name};

/// A target's change from one grade to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthChange {
    pub(crate) target: Name,
    pub(crate) from: Grade,
    pub(crate) to: Grade,
    pub(crate) reason: Name,
    pub(crate) at: SystemTime,
}

impl HealthChange {
    /// The target.
    #[must_use]
    pub fn target(&self) -> &Name {
        &self.target
    }

    /// The grade it had.
    #[must_use]
    pub fn from(&self) -> Grade {
        self.from
    }

    /// The grade it has now.
    #[must_use]
    pub fn to(&self) -> Grade {
        self.to
    }

    /// Why: the last error, or what else it was; cut after 256 bytes.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.reason.as_str()
    }

    /// When, by the wall clock.
    #[must_use]
    pub fn at(&self) -> SystemTime {
        self.at
    }
}

/// One line for people: `redis-eu: healthy → unhealthy (connection refused)`.
impl fmt::Display for HealthChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, from, to, reason, at: _ } = self;
        write!(f, "{target}: {from} → {to} ({reason})")
    }
}
