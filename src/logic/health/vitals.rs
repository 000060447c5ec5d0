use std::time::Duration;

use super::{Grade, Policy, average::Average, recent::Recent};
use crate::logic::{Moment, Ratio};

/// How a target is, by the checks it has had.
#[derive(Clone, Debug)]
pub(crate) struct Vitals {
    grade: Grade,
    since: Moment,
    row: Row,
    latency: Option<Average>,
    baseline: Option<Average>,
    recent: Recent,
    is_slow: bool,
    is_failing: bool,
}

/// The results that were alike, up to the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    Good(u32),
    Bad(u32),
}

/// Why a target that answers is not healthy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Complaint {
    /// It is slower than it used to be.
    Slow { latency: Duration, baseline: Duration },
    /// It answers this share of the checks.
    Failing(Ratio),
}

/// A grade that was left, and the one that was taken.
pub(crate) type Change = (Grade, Grade);

/// Once slow, a target is back below this share of what made it slow.
const BACK_BELOW: f64 = 0.8;

impl Vitals {
    pub(crate) const fn new(now: Moment) -> Self {
        Self {
            grade: Grade::Unknown,
            since: now,
            row: Row::Good(0),
            latency: None,
            baseline: None,
            recent: Recent::new(),
            is_slow: false,
            is_failing: false,
        }
    }

    /// A check was good, and took this long if that is known.
    pub(crate) fn good(
        &mut self,
        latency: Option<Duration>,
        policy: &Policy,
        now: Moment,
    ) -> Option<Change> {
        let row = match self.row {
            Row::Good(row) => row.saturating_add(1),
            Row::Bad(_) => 1,
        };
        self.row = Row::Good(row);
        self.take(latency, policy, now);
        match self.grade {
            Grade::Unhealthy if row < policy.rise => None,
            Grade::Healthy | Grade::Unknown | Grade::Degraded | Grade::Unhealthy => {
                self.answers(policy, now)
            }
        }
    }

    /// It is known from elsewhere that the target answers: that counts at once.
    pub(crate) fn up(&mut self, policy: &Policy, now: Moment) -> Option<Change> {
        self.row = match self.row {
            Row::Good(row) => Row::Good(row.saturating_add(1).max(policy.rise)),
            Row::Bad(_) => Row::Good(policy.rise),
        };
        self.answers(policy, now)
    }

    /// A check was bad.
    pub(crate) fn bad(&mut self, policy: &Policy, now: Moment) -> Option<Change> {
        let row = match self.row {
            Row::Bad(row) => row.saturating_add(1),
            Row::Good(_) => 1,
        };
        self.row = Row::Bad(row);
        match self.grade {
            Grade::Unknown => self.become_unhealthy(now),
            Grade::Healthy | Grade::Degraded if row >= policy.fall => self.become_unhealthy(now),
            Grade::Healthy | Grade::Degraded => {
                self.recent.note(false);
                self.judge(policy);
                self.become_grade(self.judged(), now)
            }
            Grade::Unhealthy => None,
        }
    }

    /// It is known from elsewhere that the target does not answer: that counts at once.
    pub(crate) fn down(&mut self, now: Moment) -> Option<Change> {
        self.row = match self.row {
            Row::Bad(row) => Row::Bad(row.saturating_add(1)),
            Row::Good(_) => Row::Bad(1),
        };
        match self.grade {
            Grade::Healthy | Grade::Unknown | Grade::Degraded => self.become_unhealthy(now),
            Grade::Unhealthy => None,
        }
    }

    /// What is usual for the target is learned anew, from the next check on.
    pub(crate) fn forget_baseline(&mut self) {
        self.baseline = None;
        self.is_slow = false;
    }

    pub(crate) const fn grade(&self) -> Grade {
        self.grade
    }

    /// Since when it has had its grade.
    pub(crate) const fn since(&self) -> Moment {
        self.since
    }

    pub(crate) const fn failures_in_a_row(&self) -> u32 {
        match self.row {
            Row::Bad(row) => row,
            Row::Good(_) => 0,
        }
    }

    pub(crate) const fn successes_in_a_row(&self) -> u32 {
        match self.row {
            Row::Good(row) => row,
            Row::Bad(_) => 0,
        }
    }

    pub(crate) fn latency(&self) -> Option<Duration> {
        self.latency.map(|average| average.get())
    }

    pub(crate) fn baseline(&self) -> Option<Duration> {
        self.baseline.map(|average| average.get())
    }

    pub(crate) fn success_rate(&self) -> Option<Ratio> {
        self.recent.rate()
    }

    /// Why it is degraded, if it is.
    pub(crate) fn complaint(&self) -> Option<Complaint> {
        match (self.latency(), self.baseline()) {
            (Some(latency), Some(baseline)) if self.is_slow => {
                Some(Complaint::Slow { latency, baseline })
            }
            _ if self.is_failing => self.success_rate().map(Complaint::Failing),
            _ => None,
        }
    }

    /// How many more good checks it takes until the target is not unhealthy or unknown.
    pub(crate) const fn checks_to_go(&self, policy: &Policy) -> u32 {
        match self.grade {
            Grade::Healthy | Grade::Degraded => 0,
            Grade::Unknown => 1,
            Grade::Unhealthy => {
                let left = policy.rise.saturating_sub(self.successes_in_a_row());
                if left == 0 { 1 } else { left }
            }
        }
    }

    /// Takes in how long a good check took. A single one counts no more than twice what is slow, so
    /// that one long pause is not yet a slow target.
    fn take(&mut self, latency: Option<Duration>, policy: &Policy, now: Moment) {
        let Some(latency) = latency else { return };
        let slow_from = self.baseline().and_then(|baseline| policy.slow_from(baseline));
        let latency = slow_from.map_or(latency, |limit| latency.min(limit.saturating_mul(2)));
        match &mut self.latency {
            Some(average) => average.add(latency, now, policy.latency_half_life),
            None => self.latency = Some(Average::of(latency, now)),
        }
        match (self.grade, &mut self.baseline) {
            (Grade::Degraded | Grade::Unhealthy, Some(_)) => {}
            (_, Some(average)) => average.learn(latency, now, policy.baseline_half_life),
            (_, None) => self.baseline = Some(Average::of(latency, now)),
        }
    }

    /// It answers, so it is healthy or degraded.
    fn answers(&mut self, policy: &Policy, now: Moment) -> Option<Change> {
        self.recent.note(true);
        self.judge(policy);
        self.become_grade(self.judged(), now)
    }

    /// Looks at the averages. What once was over a limit has to be well below it to be fine again.
    fn judge(&mut self, policy: &Policy) {
        let settled = self.baseline.filter(Average::is_settled);
        let limit = settled.and_then(|baseline| policy.slow_from(baseline.get()));
        self.is_slow = match (self.latency(), limit) {
            (Some(latency), Some(limit)) if self.is_slow => latency > limit.mul_f64(BACK_BELOW),
            (Some(latency), Some(limit)) => latency > limit,
            (None, _) | (_, None) => false,
        };
        let floor = policy.success_floor.get();
        let enough = if self.is_failing { f64::midpoint(floor, 1.0) } else { floor };
        self.is_failing = !policy.success_floor.is_zero()
            && self.success_rate().is_some_and(|rate| rate.get() < enough);
    }

    const fn judged(&self) -> Grade {
        if self.is_slow || self.is_failing { Grade::Degraded } else { Grade::Healthy }
    }

    /// What was seen before it fell says nothing of how it is when it is back.
    fn become_unhealthy(&mut self, now: Moment) -> Option<Change> {
        self.recent = Recent::new();
        self.is_slow = false;
        self.is_failing = false;
        self.become_grade(Grade::Unhealthy, now)
    }

    fn become_grade(&mut self, grade: Grade, now: Moment) -> Option<Change> {
        let from = std::mem::replace(&mut self.grade, grade);
        (from != grade).then(|| {
            self.since = now;
            (from, grade)
        })
    }
}

#[cfg(all(test, not(tower_failover_loom)))]
mod tests;
