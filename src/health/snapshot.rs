use std::time::Duration;

use super::{Check, Grade, control::Control};
use crate::{Ratio, event::Name, logic::Moment};

/// A target's health at one moment.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The target.
    pub target: Name,
    /// How it is.
    pub grade: Grade,
    /// For how long it has been so.
    pub since: Duration,
    /// Why it is so: of one that is unhealthy the last error; cut after 256 bytes.
    pub reason: Name,
    /// The last check of its monitor.
    pub last_check: Option<Check>,
    /// Bad checks and reports since the last good one.
    pub consecutive_failures: u32,
    /// Good checks and reports since the last bad one.
    pub consecutive_successes: u32,
    /// How long good checks take on average, of late. One that took very long counts no more than
    /// twice what is [slow](super::Policy::slow_factor).
    pub latency: Option<Duration>,
    /// How long they usually take.
    pub baseline: Option<Duration>,
    /// The share of good ones among the last 20 checks, or among those since it came back, from 10
    /// on.
    pub success_rate: Option<Ratio>,
    /// What last went wrong; cut after 256 bytes.
    pub last_error: Option<Name>,
    /// The time until the next check begins, if somebody monitors it; zero while one runs.
    pub next_check_in: Option<Duration>,
}

impl Snapshot {
    pub(super) fn new(target: Name, control: &Control, now: Moment) -> Self {
        let Control { vitals, policy, rounds, reason, last_error, last_check, .. } = control;
        Self {
            target,
            grade: control.grade(now),
            since: now - control.since(now),
            reason: reason.clone(),
            last_check: last_check.clone(),
            consecutive_failures: vitals.failures_in_a_row(),
            consecutive_successes: vitals.successes_in_a_row(),
            latency: vitals.latency(),
            baseline: vitals.baseline(),
            success_rate: vitals.success_rate(),
            last_error: last_error.clone(),
            next_check_in: rounds.is_monitored.then(|| rounds.wait(policy, now)),
        }
    }
}
