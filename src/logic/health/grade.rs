use std::fmt;

/// How a target is. Best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// It answers, as fast and as surely as it used to.
    Healthy,
    /// Nothing is known of it yet.
    Unknown,
    /// It answers, but slower than it used to, or not every time.
    Degraded,
    /// It does not answer.
    Unhealthy,
}

impl Grade {
    /// The name in lower case, as metrics and logs want it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Unknown => "unknown",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
