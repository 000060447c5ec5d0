use std::fmt;

/// Why another backend serves now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Trigger {
    /// The first backend was chosen.
    Start,
    /// Its health says that it does not answer.
    Health,
    /// Its circuit is open.
    Circuit,
    /// A call failed: refused, dropped, or answered with a failure.
    Connection,
    /// A call took longer than an attempt may.
    Timeout,
    /// It is slower than it used to be, or does not answer every time.
    Degradation,
    /// It failed soon after it had taken over for another.
    Cascade,
    /// Somebody said so.
    Manual,
    /// A better one is back.
    Recovery,
    /// It was removed, or a better one was added.
    Membership,
}

impl Trigger {
    /// The name in lower case, as metrics and logs want it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Health => "health",
            Self::Circuit => "circuit",
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::Degradation => "degradation",
            Self::Cascade => "cascade",
            Self::Manual => "manual",
            Self::Recovery => "recovery",
            Self::Membership => "membership",
        }
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
