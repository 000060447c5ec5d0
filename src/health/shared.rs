use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use super::{Check, Grade, HealthChange, Policy, control::Control, report::Report, sign::Sign};
use crate::{
    clock,
    event::{Bulletin, Name, Observers},
    gate::Waiters,
    logic::Moment,
};

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
            control: Mutex::new(Control::new(policy, is_monitored)),
        };
        shared.publish(&shared.lock());
        shared
    }

    /// Takes down what somebody says, and the check that it comes from: shows the new grade, then
    /// wakes who waits, then tells the observers, the last two without the lock.
    pub(super) fn note(&self, report: Report, check: Option<Check>) {
        let is_check = check.is_some();
        let mut control = self.lock();
        let ended = control.ends();
        let change = control.note(report, check, &self.name);
        let is_new = change.is_some();
        let ends = control.ends();
        if let Some(change) = change {
            self.bulletin.post(change);
        }
        self.publish(&control);
        drop(control);
        if is_check {
            self.asking.wake();
        }
        // Who waits counts on the end of a refusal, too.
        if is_new || ends != ended {
            self.waiters.wake();
        }
        if is_new {
            self.bulletin.tell();
        }
    }

    /// How the target is now.
    #[inline]
    pub(super) fn grade(&self) -> Grade {
        match self.sign.grade() {
            Some(grade) => grade,
            None => self.look(Control::grade),
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
        let ends = control.ends().is_some();
        // What has an end refuses, or does not, by the clock.
        let is_unknown = ends && grade == Grade::Unknown;
        let refuses = control.policy.refuses(grade) && !is_unknown;
        self.sign.publish(grade, refuses, control.rounds.is_monitored, ends && !is_unknown);
    }

    fn lock(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
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
            .field("grade", &self.grade())
            .finish_non_exhaustive()
    }
}
