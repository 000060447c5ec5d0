use std::{fmt, time::Duration};

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// The inner service.
    Primary,
    /// A [`Value`](super::Value).
    Value,
    /// A function of the user.
    Function,
    /// A [`Backup`](super::Backup) service.
    Backup,
    /// A kept answer that was still fresh.
    Cache {
        /// The time since the inner service gave it.
        age: Duration,
    },
    /// A kept answer that was fresh no more.
    Stale {
        /// The time since the inner service gave it.
        age: Duration,
    },
    /// A strategy of the user, by its name.
    Custom(&'static str),
}

impl Source {
    /// One word for logs and metrics.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Value => "value",
            Self::Function => "function",
            Self::Backup => "backup",
            Self::Cache { .. } => "cache",
            Self::Stale { .. } => "stale",
            Self::Custom(name) => name,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
