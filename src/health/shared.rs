use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

use super::{
    Check, Grade, HealthChange, Policy,
    report::Report,
    rounds::{self, Rounds},
    sign::Sign,
};
use crate::{
    clock,
    event::{Bulletin, Name, Observers},
    gate::Waiters,
    logic::{
        Moment,
        health::{Complaint, Vitals},
    },
};

/// How many changes a target remembers.
pub(super) const HISTORY: usize = 64;

/// What all handles of one target share, and its monitor looks at.
pub(super) struct Shared {
    pub(super) name: Name,
    pub(super) sign: Sign,
    /// Woken at each change of grade.
    pub(super) waiters: Waiters,
    /// Woken at the end of each check.
    pub(super) asking: Waiters,
    /// Rung when the monitor has to look up: somebody asks for a check, the settings changed, or
    /// the last handle is gone.
    bell: Arc<Notify>,
    bulletin: Bulletin<HealthChange>,
    control: Mutex<Control>,
}

/// What only changes with the lock held.
pub(super) struct Control {
    pub(super) vitals: Vitals,
    pub(super) policy: Policy,
    pub(super) rounds: Rounds,
    /// Why the grade is what it is.
    pub(super) reason: Name,
    /// When calls pass although it was said to be down: only they can show that it is not. Counts
    /// only without a monitor.
    passes_from: Option<Moment>,
    pub(super) last_error: Option<Name>,
    pub(super) last_check: Option<Check>,
    pub(super) history: VecDeque<HealthChange>,
}

impl Control {
    fn note(
        &mut self,
        report: Report,
        check: Option<Check>,
        target: &Name,
    ) -> Option<HealthChange> {
        if check.is_some() {
            self.rounds.end();
            self.last_check = check;
        }
        if let Some(error) = report.error() {
            self.last_error = Some(error.clone());
        }
        let now = clock::now();
        self.note_end(&report, now);
        let Self { vitals, policy, .. } = self;
        let (from, to) = match report {
            Report::Good(latency) => vitals.good(latency, policy, now),
            Report::Bad(_) => vitals.bad(policy, now),
            Report::Up => vitals.up(policy, now),
            Report::Down { .. } => vitals.down(now),
        }?;
        self.reason = why(vitals, report, (from, to));
        let (target, reason, at) = (target.clone(), self.reason.clone(), clock::wall());
        let change = HealthChange { target, from, to, reason, at };
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(change.clone());
        Some(change)
    }

    /// When a refusal ends by itself. One that has no end gets none by a later word.
    fn note_end(&mut self, report: &Report, now: Moment) {
        let is_down = self.vitals.grade() == Grade::Unhealthy;
        self.passes_from = match report {
            Report::Bad(_) => self.passes_from,
            Report::Down { .. } if is_down && self.passes_from.is_none() => None,
            Report::Down { looks_after, .. } => looks_after.map(|wait| now + wait),
            Report::Good(_) | Report::Up => None,
        };
    }

    /// The monitor is gone: nobody would ever say that the target is back, so calls may find out.
    pub(super) fn abandon(&mut self, now: Moment) {
        self.rounds.abandon();
        self.passes_from = Some(now);
    }

    /// Whether calls are refused.
    pub(super) fn refuses(&self, now: Moment) -> bool {
        let passes = !self.rounds.is_monitored && self.passes_from.is_some_and(|from| from <= now);
        let grade = self.vitals.grade();
        self.policy.refuses(grade) && !(passes && grade == Grade::Unhealthy)
    }

    /// How long until calls may pass at the earliest, if that is known.
    pub(super) fn earliest_return(&self, now: Moment) -> Option<Duration> {
        let Self { vitals, policy, rounds, .. } = self;
        if !rounds.is_monitored {
            return self.passes_from.map(|from| from - now);
        }
        let more = vitals.checks_to_go(policy).saturating_sub(1);
        let rest = rounds::shortest(policy).saturating_mul(more);
        Some(rounds.wait(policy, now).saturating_add(rest))
    }
}

impl Shared {
    pub(super) fn new(
        name: Name,
        policy: Policy,
        observers: Observers,
        is_monitored: bool,
        bell: Arc<Notify>,
    ) -> Self {
        let shared = Self {
            name,
            sign: Sign::new(),
            waiters: Waiters::new(),
            asking: Waiters::new(),
            bell,
            bulletin: Bulletin::new(observers),
            control: Mutex::new(Control {
                vitals: Vitals::new(clock::now()),
                policy,
                rounds: Rounds::new(is_monitored),
                reason: Name::from("not checked yet"),
                passes_from: None,
                last_error: None,
                last_check: None,
                history: VecDeque::new(),
            }),
        };
        shared.publish(&shared.lock());
        shared
    }

    /// Takes down what somebody says, and the check that it comes from: shows the new grade, then
    /// wakes who waits, then tells the observers, the last two without the lock.
    pub(super) fn note(&self, report: Report, check: Option<Check>) {
        let is_check = check.is_some();
        let mut control = self.lock();
        let change = control.note(report, check, &self.name);
        let is_new = change.is_some();
        if let Some(change) = change {
            self.bulletin.post(change);
        }
        self.publish(&control);
        drop(control);
        if is_check {
            self.asking.wake();
        }
        if is_new {
            self.waiters.wake();
            self.bulletin.tell();
        }
    }

    /// Looks at everything.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Control, Moment) -> T) -> T {
        look(&self.lock(), clock::now())
    }

    /// Changes what changes no grade.
    pub(super) fn set<T>(&self, change: impl FnOnce(&mut Control) -> T) -> T {
        let mut control = self.lock();
        let answer = change(&mut control);
        self.publish(&control);
        answer
    }

    pub(super) fn ring(&self) {
        self.bell.notify_one();
    }

    fn publish(&self, control: &Control) {
        let grade = control.vitals.grade();
        self.sign.publish(grade, control.policy.refuses(grade), control.rounds.is_monitored);
    }

    fn lock(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
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

/// The monitor is told that nobody has a handle any more.
impl Drop for Shared {
    fn drop(&mut self) {
        self.bell.notify_one();
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health")
            .field("name", &self.name)
            .field("grade", &self.sign.grade())
            .finish_non_exhaustive()
    }
}
