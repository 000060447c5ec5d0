use std::fmt;

/// The state of a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Calls pass and are counted.
    Closed,
    /// Calls are refused until the open time is over.
    Open,
    /// A few calls at a time pass, to see whether the backend is back.
    HalfOpen,
    /// Calls are refused by hand, until released.
    ForcedOpen,
    /// Calls pass by hand and nothing counts, until released.
    ForcedClosed,
    /// Calls pass and count; what would have happened is reported and not done.
    MetricsOnly,
}

impl State {
    /// The name in lower case with underscores, as metrics and logs want it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::ForcedOpen => "forced_open",
            Self::ForcedClosed => "forced_closed",
            Self::MetricsOnly => "metrics_only",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a circuit changed its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// As many failures in a row as the policy allows.
    ConsecutiveFailures,
    /// The failure rate of the window reached the policy's.
    FailureRate,
    /// The rate of slow calls in the window reached the policy's.
    SlowCallRate,
    /// The open time is over.
    OpenTimeOver,
    /// A probe failed.
    ProbeFailed,
    /// A probe was slow, and the policy counts slow calls.
    ProbeSlow,
    /// A probe did not end within its deadline.
    ProbeOverdue,
    /// Enough probes succeeded.
    ProbesSucceeded,
    /// By hand.
    Forced,
    /// A forced state was released by hand.
    Released,
    /// A forced state came to its own end.
    ForcedTimeOver,
    /// The circuit was reset by hand.
    Reset,
}

impl Cause {
    /// The cause in a few words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConsecutiveFailures => "failures in a row",
            Self::FailureRate => "failure rate",
            Self::SlowCallRate => "rate of slow calls",
            Self::OpenTimeOver => "open time over",
            Self::ProbeFailed => "probe failed",
            Self::ProbeSlow => "probe slow",
            Self::ProbeOverdue => "probe overdue",
            Self::ProbesSucceeded => "probes succeeded",
            Self::Forced => "by hand",
            Self::Released => "released",
            Self::ForcedTimeOver => "forced time over",
            Self::Reset => "reset",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_causes_are_shown_by_their_names() {
        assert_eq!(State::HalfOpen.to_string(), "half_open");
        assert_eq!(Cause::ProbeOverdue.to_string(), "probe overdue");
    }
}
