use std::{collections::VecDeque, time::Duration};

use super::{Check, Grade, HealthChange, Policy, report::Report, rounds::Rounds};
use crate::{
    clock,
    event::Name,
    logic::{
        Moment,
        health::{Complaint, Vitals},
    },
};

/// How many changes a target remembers.
const HISTORY: usize = 64;

/// What only changes with the lock held.
pub(super) struct Control {
    pub(super) vitals: Vitals,
    pub(super) policy: Policy,
    pub(super) rounds: Rounds,
    /// Why the grade is what it is.
    pub(super) reason: Name,
    ends: Ends,
    pub(super) last_error: Option<Name>,
    pub(super) last_check: Option<Check>,
    pub(super) history: VecDeque<HealthChange>,
}

/// When calls to a target that is unhealthy pass all the same, so that they may show whether it is
/// back. Counts only where no monitor would find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    /// When good reports have come in.
    ByReports,
    /// When whoever called it down says that it is up.
    ByWord,
    /// From this moment on.
    At(Moment),
}

impl Control {
    pub(super) fn new(policy: Policy, is_monitored: bool) -> Self {
        Self {
            vitals: Vitals::new(clock::now()),
            policy,
            rounds: Rounds::new(is_monitored),
            reason: Name::from("not checked yet"),
            ends: Ends::ByReports,
            last_error: None,
            last_check: None,
            history: VecDeque::new(),
        }
    }

    /// Takes down what somebody says, and the check that it comes from.
    pub(super) fn note(
        &mut self,
        report: Report,
        check: Option<Check>,
        target: &Name,
    ) -> Option<HealthChange> {
        let counts = match (&check, &report) {
            (Some(_), Report::Good(_)) => !self.rounds.is_doubted(),
            // Calls that succeed say nothing of what the probes look at.
            (None, Report::Good(_)) => !self.rounds.is_monitored,
            (_, Report::Bad(_) | Report::Up | Report::Down { .. }) => true,
        };
        if check.is_some() {
            self.rounds.end();
            self.last_check = check;
        }
        if !counts {
            return None;
        }
        if let Some(error) = report.error() {
            self.last_error = Some(error.clone());
        }
        let now = clock::now();
        self.give_reason(&report);
        if let Report::Down { looks_after, .. } = report {
            self.called_down(looks_after, now);
            self.rounds.doubt();
        }
        let policy = &self.in_force();
        let Self { vitals, .. } = self;
        let (from, to) = match report {
            Report::Good(latency) => vitals.good(latency, policy, now),
            Report::Bad(_) => vitals.bad(policy, now),
            Report::Up => vitals.up(policy, now),
            Report::Down { .. } => vitals.down(now),
        }?;
        if to != Grade::Unhealthy {
            self.ends = Ends::ByReports;
        }
        self.reason = why(vitals, report, (from, to));
        let (target, reason, at) = (target.clone(), self.reason.clone(), clock::wall());
        let change = HealthChange { target, from, to, reason, at };
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(change.clone());
        Some(change)
    }

    /// The settings, with a half-life that suits the interval.
    fn in_force(&self) -> Policy {
        let Policy { interval, latency_half_life, .. } = self.policy;
        if !self.rounds.is_monitored {
            return self.policy;
        }
        let latency_half_life = latency_half_life.max(interval.saturating_mul(2));
        Policy { latency_half_life, ..self.policy }
    }

    /// Of one that is unhealthy already the last error is told; but what somebody called down for
    /// good is not so for the opening of a circuit.
    fn give_reason(&mut self, report: &Report) {
        let is_lesser = self.ends == Ends::ByWord
            && matches!(report, Report::Down { looks_after: Some(_), .. });
        if let Some(error) = report.error()
            && self.vitals.grade() == Grade::Unhealthy
            && !is_lesser
        {
            self.reason = error.clone();
        }
    }

    /// A word that has no end is not given one by another.
    fn called_down(&mut self, looks_after: Option<Duration>, now: Moment) {
        self.ends = match (self.ends, looks_after) {
            (Ends::ByWord, _) | (_, None) => Ends::ByWord,
            (Ends::ByReports | Ends::At(_), Some(wait)) => Ends::At(now + wait),
        };
    }

    /// Somebody says that the target is back: the monitor, if there is one, checks it as often as
    /// it takes to know.
    pub(super) fn check_soon(&mut self) -> bool {
        let checks = self.vitals.checks_to_go(&self.policy).max(1);
        if self.rounds.is_monitored {
            self.rounds.ask_soon(checks);
        }
        self.rounds.is_monitored
    }

    /// The monitor is gone: nobody would ever say that the target is back, so calls may find out.
    pub(super) fn abandon(&mut self, now: Moment) {
        self.rounds.abandon();
        match self.vitals.grade() {
            Grade::Unhealthy | Grade::Unknown => self.ends = Ends::At(now),
            Grade::Healthy | Grade::Degraded => {}
        }
    }

    /// From when on calls pass although nobody has said that the target is back.
    pub(super) fn ends(&self) -> Option<Moment> {
        let grade = self.vitals.grade();
        match (self.ends, grade) {
            (Ends::At(moment), Grade::Unhealthy | Grade::Unknown) if !self.rounds.is_monitored => {
                Some(moment)
            }
            (Ends::At(_) | Ends::ByReports | Ends::ByWord, _) => None,
        }
    }

    /// How the target is: who is refused no longer, and was not seen since, is unknown.
    pub(super) fn grade(&self, now: Moment) -> Grade {
        if self.has_ended(now) { Grade::Unknown } else { self.vitals.grade() }
    }

    /// Since when it is so.
    pub(super) fn since(&self, now: Moment) -> Moment {
        let ended = self.ends().filter(|_| self.has_ended(now));
        ended.map_or(self.vitals.since(), |ended| ended.max(self.vitals.since()))
    }

    fn has_ended(&self, now: Moment) -> bool {
        self.ends().is_some_and(|end| end <= now)
    }

    /// Whether calls are refused.
    pub(super) fn refuses(&self, now: Moment) -> bool {
        self.policy.refuses(self.vitals.grade()) && !self.has_ended(now)
    }

    /// How long until calls may pass at the earliest, if that is known.
    pub(super) fn earliest_return(&self, now: Moment) -> Option<Duration> {
        let Self { vitals, policy, rounds, .. } = self;
        if rounds.is_monitored {
            let more = vitals.checks_to_go(policy).saturating_sub(1);
            return Some(rounds.wait(policy, now).saturating_add(rounds.rest(policy, more)));
        }
        match self.ends {
            Ends::At(moment) => Some(moment - now),
            Ends::ByReports | Ends::ByWord => None,
        }
    }
}

fn why(vitals: &Vitals, report: Report, (from, to): (Grade, Grade)) -> Name {
    match (report, to, vitals.complaint()) {
        (Report::Down { reason, .. }, ..) | (Report::Bad(reason), Grade::Unhealthy, _) => reason,
        (_, _, Some(Complaint::Slow { latency, baseline })) => {
            Name::from(format!("takes {latency:?}, usual is {baseline:?}"))
        }
        (_, _, Some(Complaint::Failing(rate))) => {
            Name::from(format!("{rate} of the last checks were good"))
        }
        (Report::Up, ..) => Name::from("said to be back"),
        (_, _, None) => Name::from(match from {
            Grade::Unknown => "the first check was good",
            Grade::Degraded => "as it used to be",
            Grade::Healthy | Grade::Unhealthy => "enough good checks in a row",
        }),
    }
}
