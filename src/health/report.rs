use std::time::Duration;

use crate::event::Name;

/// What somebody says of a target.
#[derive(Debug)]
pub(super) enum Report {
    /// A check was good, and took this long.
    Good(Option<Duration>),
    /// A check was bad.
    Bad(Name),
    /// It answers: counts at once.
    Up,
    /// It does not answer: counts at once.
    Down {
        reason: Name,
        /// When whoever says so looks again.
        looks_after: Option<Duration>,
    },
}

impl Report {
    pub(super) const fn error(&self) -> Option<&Name> {
        match self {
            Self::Bad(error) | Self::Down { reason: error, .. } => Some(error),
            Self::Good(_) | Self::Up => None,
        }
    }
}
