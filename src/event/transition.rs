use std::{
    fmt,
    time::{Duration, SystemTime},
};

use super::{Cause, Name, State};

/// A circuit's change from one state to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    pub(crate) circuit: Name,
    pub(crate) from: State,
    pub(crate) to: State,
    pub(crate) cause: Cause,
    pub(crate) lasts_for: Option<Duration>,
    pub(crate) metrics_only: bool,
    pub(crate) at: SystemTime,
}

impl Transition {
    /// The circuit.
    #[must_use]
    pub fn circuit(&self) -> &Name {
        &self.circuit
    }

    /// The state it left.
    #[must_use]
    pub fn from(&self) -> State {
        self.from
    }

    /// The state it is in now.
    #[must_use]
    pub fn to(&self) -> State {
        self.to
    }

    /// Why.
    #[must_use]
    pub fn cause(&self) -> Cause {
        self.cause
    }

    /// How long the new state lasts, if it has an end of its own.
    #[must_use]
    pub fn lasts_for(&self) -> Option<Duration> {
        self.lasts_for
    }

    /// Whether this is only what would have happened, because the circuit is
    /// [metrics-only](State::MetricsOnly).
    #[must_use]
    pub fn is_metrics_only(&self) -> bool {
        self.metrics_only
    }

    /// When, by the wall clock.
    #[must_use]
    pub fn at(&self) -> SystemTime {
        self.at
    }
}

/// One line for people: `circuit redis: closed → open for 2s (failures in a row)`.
impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { circuit, from, to, cause, lasts_for, metrics_only, at: _ } = self;
        write!(f, "circuit {circuit}: {from} → {to}")?;
        if let Some(duration) = lasts_for {
            write!(f, " for {duration:?}")?;
        }
        write!(f, " ({cause}{})", if *metrics_only { ", not done: metrics only" } else { "" })
    }
}
