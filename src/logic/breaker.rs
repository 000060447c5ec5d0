//! The state machine of a circuit.
//!
//! It decides everything but the counting of a closed circuit, which [`Meter`](super::meter::Meter)
//! does without a lock. Its [`Face`] is what callers see without asking it.

mod probing;
mod ramp;

use std::time::Duration;

use self::{probing::Probing, ramp::Ramp};
use super::{Cause, Moment, Policy, State};

/// The state machine of a circuit.
#[derive(Debug)]
pub(crate) struct Breaker {
    state: Mode,
    /// Counts the changes of state. A ticket of an earlier period is void.
    period: u64,
    /// How often in a row it opened without a success that closed it.
    openings: u32,
}

#[derive(Debug)]
enum Mode {
    Automatic(Phase),
    MetricsOnly { until: Moment, phase: Phase },
    ForcedOpen { until: Moment },
    ForcedClosed { until: Moment },
}

#[derive(Debug)]
enum Phase {
    Closed(Option<Ramp>),
    Open { until: Moment },
    HalfOpen(Probing),
}

/// The right to make a call, and the period that issued it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) period: u64,
    /// The number of the probe in its period, from 1 on; 0 is not a probe.
    pub(crate) probe: u32,
}

impl Ticket {
    /// For a call that passes and does not count.
    pub(crate) const UNCOUNTED: Self = Self { period: u64::MAX, probe: 0 };
}

/// No: and when to ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) until: Moment,
}

/// How a call ended, as far as the state machine cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Success,
    /// A success that the policy calls slow.
    Slow,
    Failure,
    Ignored,
}

/// A change of state, as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) from: State,
    pub(crate) to: State,
    pub(crate) cause: Cause,
    pub(crate) lasts_for: Option<Duration>,
    pub(crate) metrics_only: bool,
}

/// What a caller sees without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Face {
    /// Every call passes and counts.
    Closed,
    /// Every call passes and none counts.
    Free,
    /// Every call is refused until this moment; then ask.
    Shut(Moment),
    /// Ask.
    Ask,
}

/// What changes take: the time, the settings, and a random number between 0 and 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) now: Moment,
    pub(crate) random: f64,
}

impl Breaker {
    /// A closed circuit whose first period is `period`.
    pub(crate) fn new(period: u64) -> Self {
        Self { state: Mode::Automatic(Phase::Closed(None)), period, openings: 0 }
    }

    pub(crate) fn period(&self) -> u64 {
        self.period
    }

    pub(crate) fn openings(&self) -> u32 {
        self.openings
    }

    pub(crate) fn state(&self) -> State {
        match &self.state {
            Mode::Automatic(phase) => phase.state(),
            Mode::MetricsOnly { .. } => State::MetricsOnly,
            Mode::ForcedOpen { .. } => State::ForcedOpen,
            Mode::ForcedClosed { .. } => State::ForcedClosed,
        }
    }

    pub(crate) fn probes_in_flight(&self) -> usize {
        match self.phase() {
            Some(Phase::HalfOpen(probing)) => probing.in_flight(),
            Some(Phase::Closed(_) | Phase::Open { .. }) | None => 0,
        }
    }

    /// The end of a refusal or of a forced state.
    pub(crate) fn lasts_until(&self) -> Option<Moment> {
        match &self.state {
            Mode::ForcedOpen { until }
            | Mode::ForcedClosed { until }
            | Mode::MetricsOnly { until, .. }
            | Mode::Automatic(Phase::Open { until }) => Some(*until),
            Mode::Automatic(Phase::Closed(_) | Phase::HalfOpen(_)) => None,
        }
    }

    /// Whether results of this period are counted by the meter.
    pub(crate) fn is_counting(&self) -> bool {
        matches!(self.phase(), Some(Phase::Closed(_)))
    }

    pub(crate) fn face(&self, policy: &Policy) -> Face {
        match &self.state {
            Mode::Automatic(Phase::Closed(None))
            | Mode::MetricsOnly { until: Moment::NEVER, phase: Phase::Closed(None) } => {
                Face::Closed
            }
            Mode::Automatic(Phase::Closed(Some(_))) | Mode::MetricsOnly { .. } => Face::Ask,
            Mode::Automatic(Phase::Open { until }) | Mode::ForcedOpen { until } => {
                Face::Shut(*until)
            }
            Mode::Automatic(Phase::HalfOpen(probing)) => match probing.refusal(policy) {
                Some(Refusal { until }) => Face::Shut(until),
                None => Face::Ask,
            },
            Mode::ForcedClosed { until: Moment::NEVER } => Face::Free,
            Mode::ForcedClosed { .. } => Face::Ask,
        }
    }

    /// Does what time alone does: ends a forced state, gives up an overdue probe.
    pub(crate) fn pass_time(&mut self, setting: Setting<'_>) -> Option<Change> {
        let over = match &self.state {
            Mode::ForcedOpen { until } | Mode::ForcedClosed { until } => *until <= setting.now,
            Mode::MetricsOnly { until, .. } if *until <= setting.now => true,
            Mode::MetricsOnly { .. } | Mode::Automatic(_) => false,
        };
        if over {
            return self.close_by_hand(Cause::ForcedTimeOver);
        }
        match self.phase_mut() {
            Some(Phase::Closed(ramp)) => {
                ramp.take_if(|ramp| ramp.until <= setting.now);
                None
            }
            Some(Phase::HalfOpen(probing)) if probing.is_overdue(setting.now) => {
                self.open(Cause::ProbeOverdue, setting, None)
            }
            Some(Phase::HalfOpen(_) | Phase::Open { .. }) | None => None,
        }
    }

    /// May a call pass?
    pub(crate) fn admit(
        &mut self,
        setting: Setting<'_>,
    ) -> (Result<Ticket, Refusal>, Option<Change>) {
        let refuses = match &self.state {
            Mode::ForcedOpen { until } => return (Err(Refusal { until: *until }), None),
            Mode::ForcedClosed { .. } => return (Ok(Ticket::UNCOUNTED), None),
            Mode::MetricsOnly { .. } => false,
            Mode::Automatic(_) => true,
        };
        let change = match self.phase() {
            Some(Phase::Open { until }) if *until <= setting.now => {
                self.enter(Phase::HalfOpen(Probing::default()), Cause::OpenTimeOver, None)
            }
            Some(Phase::Open { .. } | Phase::Closed(_) | Phase::HalfOpen(_)) | None => None,
        };
        let period = self.period;
        let admitted = match self.phase_mut() {
            None => Ok(Ticket::UNCOUNTED),
            Some(Phase::Open { until }) => Err(Refusal { until: *until }),
            Some(Phase::Closed(None)) => Ok(Ticket { period, probe: 0 }),
            Some(Phase::Closed(Some(ramp))) => match ramp.refusal(setting.now) {
                Some(refusal) => Err(refusal),
                None => Ok(Ticket { period, probe: 0 }),
            },
            Some(Phase::HalfOpen(probing)) => match probing.refusal(setting.policy) {
                Some(refusal) => Err(refusal),
                None => Ok(Ticket { period, probe: probing.issue(setting) }),
            },
        };
        let admitted = if refuses { admitted } else { admitted.or(Ok(Ticket::UNCOUNTED)) };
        (admitted, change)
    }

    /// Ends a probe.
    pub(crate) fn settle(
        &mut self,
        ticket: Ticket,
        verdict: Verdict,
        setting: Setting<'_>,
        retry_after: Option<Duration>,
    ) -> Option<Change> {
        if ticket.period != self.period {
            return None;
        }
        let Some(Phase::HalfOpen(probing)) = self.phase_mut() else { return None };
        probing.end(ticket.probe)?;
        match verdict {
            Verdict::Ignored => None,
            Verdict::Failure => self.open(Cause::ProbeFailed, setting, retry_after),
            Verdict::Slow => self.open(Cause::ProbeSlow, setting, retry_after),
            Verdict::Success => {
                probing.successes += 1;
                if probing.successes < setting.policy.successes_to_close {
                    return None;
                }
                self.openings = 0;
                let ramp = setting.policy.ramp_for.map(|ramp_for| Ramp::new(setting.now, ramp_for));
                self.enter(Phase::Closed(ramp), Cause::ProbesSucceeded, None)
            }
        }
    }

    /// Opens a closed circuit that met a criterion in `period`.
    pub(crate) fn trip(
        &mut self,
        period: u64,
        cause: Cause,
        setting: Setting<'_>,
        retry_after: Option<Duration>,
    ) -> Option<Change> {
        if period != self.period || !self.is_counting() {
            return None;
        }
        self.open(cause, setting, retry_after)
    }

    /// Refuses everything until released, or until `until`.
    pub(crate) fn force_open(&mut self, until: Moment, now: Moment) -> Option<Change> {
        self.force(Mode::ForcedOpen { until }, until, now)
    }

    /// Lets everything pass, uncounted, until released, or until `until`.
    pub(crate) fn force_closed(&mut self, until: Moment, now: Moment) -> Option<Change> {
        self.force(Mode::ForcedClosed { until }, until, now)
    }

    /// Lets everything pass and counts, until released, or until `until`.
    pub(crate) fn metrics_only(&mut self, until: Moment, now: Moment) -> Option<Change> {
        self.openings = 0;
        self.force(Mode::MetricsOnly { until, phase: Phase::Closed(None) }, until, now)
    }

    /// Ends a forced state.
    pub(crate) fn release(&mut self) -> Option<Change> {
        match self.state {
            Mode::Automatic(_) => None,
            Mode::MetricsOnly { .. } | Mode::ForcedOpen { .. } | Mode::ForcedClosed { .. } => {
                self.close_by_hand(Cause::Released)
            }
        }
    }

    /// Closes an automatic circuit and forgets everything; a forced state stays.
    pub(crate) fn reset(&mut self) -> Option<Change> {
        self.openings = 0;
        match self.state {
            Mode::Automatic(_) | Mode::MetricsOnly { .. } => {
                self.enter(Phase::Closed(None), Cause::Reset, None)
            }
            Mode::ForcedOpen { .. } | Mode::ForcedClosed { .. } => None,
        }
    }

    /// Makes every ticket that is out void, without a change of state.
    pub(crate) fn renew_period(&mut self) {
        self.period += 1;
    }

    fn phase(&self) -> Option<&Phase> {
        match &self.state {
            Mode::Automatic(phase) | Mode::MetricsOnly { phase, .. } => Some(phase),
            Mode::ForcedOpen { .. } | Mode::ForcedClosed { .. } => None,
        }
    }

    fn phase_mut(&mut self) -> Option<&mut Phase> {
        match &mut self.state {
            Mode::Automatic(phase) | Mode::MetricsOnly { phase, .. } => Some(phase),
            Mode::ForcedOpen { .. } | Mode::ForcedClosed { .. } => None,
        }
    }

    fn open(
        &mut self,
        cause: Cause,
        Setting { policy, now, random }: Setting<'_>,
        retry_after: Option<Duration>,
    ) -> Option<Change> {
        self.openings = self.openings.saturating_add(1);
        let asked_for = retry_after.unwrap_or_default().min(policy.longest_retry_after);
        let lasts_for = policy.open_for.wait(self.openings, random).max(asked_for);
        self.enter(Phase::Open { until: now + lasts_for }, cause, Some(lasts_for))
    }

    /// Enters a phase of the automatic machine, or of its shadow.
    fn enter(&mut self, next: Phase, cause: Cause, lasts_for: Option<Duration>) -> Option<Change> {
        let metrics_only = matches!(self.state, Mode::MetricsOnly { .. });
        let to = next.state();
        let phase = self.phase_mut()?;
        let from = phase.state();
        *phase = next;
        self.period += 1;
        (from != to).then_some(Change { from, to, cause, lasts_for, metrics_only })
    }

    fn force(&mut self, mode: Mode, until: Moment, now: Moment) -> Option<Change> {
        let from = self.state();
        self.state = mode;
        self.period += 1;
        let to = self.state();
        let lasts_for = (until != Moment::NEVER).then(|| until - now);
        let cause = Cause::Forced;
        (from != to).then_some(Change { from, to, cause, lasts_for, metrics_only: false })
    }

    fn close_by_hand(&mut self, cause: Cause) -> Option<Change> {
        let from = self.state();
        self.state = Mode::Automatic(Phase::Closed(None));
        self.period += 1;
        self.openings = 0;
        Some(Change { from, to: State::Closed, cause, lasts_for: None, metrics_only: false })
    }
}

impl Phase {
    fn state(&self) -> State {
        match self {
            Self::Closed(_) => State::Closed,
            Self::Open { .. } => State::Open,
            Self::HalfOpen(_) => State::HalfOpen,
        }
    }
}

#[cfg(all(test, not(tower_failover_loom)))]
mod tests;
