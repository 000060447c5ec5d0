use std::{fmt, time::Duration};

use crate::{
    event::Name,
    logic::{
        Moment, State, Tally,
        breaker::{Breaker, Face, Setting},
        meter::Meter,
    },
};

/// A circuit at one moment.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The circuit.
    pub circuit: Name,
    /// Its state.
    pub state: State,
    /// Failures since the last success, while closed.
    pub consecutive_failures: u32,
    /// What the window of the failure rate holds, if the policy has one and the circuit is closed.
    pub failures: Option<Share>,
    /// What the window of slow calls holds, if the policy has one and the circuit is closed.
    pub slow_calls: Option<Share>,
    /// How often in a row it opened without closing by successful probes.
    pub openings: u32,
    /// Probes in flight, while half-open.
    pub probes_in_flight: usize,
    /// How long until it lets a call through; zero if it does now, `None` if it waits for a hand.
    pub retry_after: Option<Duration>,
}

/// A part of a number of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The calls that count against the backend.
    pub part: u64,
    /// All calls in the window.
    pub calls: u64,
}

impl Snapshot {
    pub(super) fn new(
        circuit: Name,
        breaker: &Breaker,
        meter: &Meter,
        Setting { policy, now, random: _ }: Setting<'_>,
    ) -> Self {
        let counting = breaker.is_counting();
        let period = breaker.period();
        let share = |tally: Option<Tally>| tally.filter(|_| counting).map(Share::from);
        Self {
            circuit,
            state: breaker.state(),
            consecutive_failures: if counting { meter.row() } else { 0 },
            failures: share(meter.failures(period, now)),
            slow_calls: share(meter.slow_calls(period, now)),
            openings: breaker.openings(),
            probes_in_flight: breaker.probes_in_flight(),
            retry_after: match breaker.face(policy) {
                Face::Shut(Moment::NEVER) => None,
                Face::Shut(until) => Some(until - now),
                Face::Closed | Face::Free | Face::Ask => Some(Duration::ZERO),
            },
        }
    }
}

impl From<Tally> for Share {
    fn from(Tally { bad, total }: Tally) -> Self {
        Self { part: bad, calls: total }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} calls", self.part, self.calls)
    }
}
