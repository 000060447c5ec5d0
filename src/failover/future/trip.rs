use std::{fmt, sync::Arc, time::Duration};

use crate::{
    BoxError, Outcome,
    circuit_breaker::Permit,
    clock,
    event::{Name, Trigger, text},
    failover::{
        Choice, Mode, Target,
        switchboard::{Switchboard, Switches},
    },
    gate::Pass,
    logic::Moment,
};

/// A call on its way: whom it is with now, and whom to tell how that ends.
pub(crate) struct Trip {
    pub(crate) switchboard: Arc<Switchboard>,
    leg: Option<Leg>,
}

/// One attempt.
struct Leg {
    target: Arc<Target>,
    permit: Option<Permit>,
    /// `NEVER` until somebody wants to know.
    began: Moment,
    /// How many switches there were when it began.
    switches: Switches,
    /// It was polled and has to wait.
    is_waiting: bool,
    /// The backend is out, and this finds out whether it is back.
    is_trial: bool,
    /// Code of the service runs, or has unwound.
    is_running: bool,
}

impl Trip {
    pub(crate) const fn new(switchboard: Arc<Switchboard>) -> Self {
        Self { switchboard, leg: None }
    }

    /// On the way to a backend that may be called.
    #[inline]
    pub(crate) fn with(
        switchboard: Arc<Switchboard>,
        target: Arc<Target>,
        permit: Option<Permit>,
        began: Moment,
    ) -> Self {
        let switches = switchboard.word.switches();
        let leg = Leg {
            target,
            permit,
            began,
            switches,
            is_waiting: false,
            is_trial: false,
            is_running: false,
        };
        Self { switchboard, leg: Some(leg) }
    }

    /// Sets out for this backend.
    pub(crate) fn set_out(&mut self, choice: Choice) {
        let Choice { target, is_trial } = choice;
        self.leg = Some(Leg {
            target,
            permit: None,
            began: clock::now(),
            switches: self.switchboard.word.switches(),
            is_waiting: false,
            is_trial,
            is_running: false,
        });
    }

    /// The backend it is with.
    pub(crate) fn target(&self) -> &Arc<Target> {
        &self.leg.as_ref().expect(UNDER_WAY).target
    }

    /// Runs code of the service.
    #[inline]
    pub(crate) fn run<T>(&mut self, inner: impl FnOnce() -> T) -> T {
        let leg = self.leg.as_mut().expect(UNDER_WAY);
        leg.is_running = true;
        let answer = inner();
        leg.is_running = false;
        answer
    }

    /// Asks whether the backend may be called, now that it is ready: others may have found out
    /// meanwhile that it does not answer.
    ///
    /// # Errors
    ///
    /// The refusal of its health or of its circuit, or that it was left.
    pub(crate) fn ask(&mut self, may_have_run: bool) -> Result<(), BoxError> {
        let leg = self.leg.as_mut().expect(UNDER_WAY);
        if !leg.is_trial {
            if let Some(unhealthy) = leg.target.unhealthy() {
                return Err(unhealthy.into());
            }
            if self.switchboard.has_left(leg.target.id) {
                return Err(self.switchboard.nobody(may_have_run).into());
            }
        }
        leg.permit = leg.target.permit()?;
        leg.switches = self.switchboard.word.switches();
        Ok(())
    }

    /// The service has unwound.
    #[cold]
    pub(crate) fn unwind(mut self) {
        self.failed(Trigger::Connection, text::of_words("it panicked"), None);
    }

    /// It has to wait: notes when it began, if nobody did.
    pub(crate) fn time(&mut self) {
        let Some(leg) = &mut self.leg else { return };
        leg.is_waiting = true;
        if leg.began == Moment::NEVER {
            leg.began = clock::now();
        }
    }

    /// The backend answered, or nothing can be said of it.
    #[inline]
    pub(crate) fn answered(&mut self, outcome: Outcome) {
        let mut leg = self.leg.take().expect(UNDER_WAY);
        if let Some(permit) = leg.permit.take() {
            permit.settle(outcome, None);
        }
        match outcome {
            Outcome::Success => {
                leg.target.answered();
                if leg.began != Moment::NEVER {
                    leg.target.sample(leg.began, None);
                }
                if leg.is_trial {
                    self.tried(&leg, None);
                } else if self.switchboard.word.is_unconfirmed() {
                    self.switchboard.confirm(leg.target.id, leg.switches);
                }
            }
            Outcome::Failure | Outcome::Ignored => self.abandon(&leg),
        }
    }

    /// The backend failed; `retry_after` is how long it asked to be left alone.
    #[cold]
    pub(crate) fn failed(&mut self, trigger: Trigger, why: Name, retry_after: Option<Duration>) {
        let mut leg = self.leg.take().expect(UNDER_WAY);
        match leg.permit.take() {
            Some(permit) => permit.settle(Outcome::Failure, retry_after),
            None => leg.target.charge(),
        }
        if leg.began != Moment::NEVER {
            leg.target.sample(leg.began, Some(trigger));
        }
        if leg.is_trial {
            self.tried(&leg, Some(why));
            return;
        }
        match self.switchboard.policy.mode {
            Mode::AtOnce => self.switchboard.failed(&leg.target, trigger, leg.began, why),
            Mode::ByCircuit | Mode::ByHealth => self.switchboard.noted(&leg.target, why),
        }
    }

    /// The attempt has had its time, of which this backend may have got a part only.
    #[cold]
    pub(crate) fn expired(&mut self, why: Name) {
        let leg = self.leg.as_ref().expect(UNDER_WAY);
        let policy = &self.switchboard.policy;
        let waited = clock::now() - leg.began;
        if waited >= policy.attempt_timeout || policy.charges_after(waited) {
            self.failed(Trigger::Timeout, why, None);
        } else {
            self.refused();
        }
    }

    /// The backend was not called.
    #[cold]
    pub(crate) fn refused(&mut self) {
        if let Some(leg) = self.leg.take() {
            self.abandon(&leg);
        }
    }

    /// Nobody else tells a health without a monitor that its target is back.
    #[cold]
    fn tried(&self, leg: &Leg, why: Option<Name>) {
        let Target { id, health, .. } = &*leg.target;
        if let Some(health) = health {
            match &why {
                None => health.succeeded(clock::now() - leg.began),
                Some(why) => health.failed(why),
            }
        }
        match why {
            None => self.switchboard.tried(*id),
            Some(why) => self.switchboard.checked(*id, Err(why)),
        }
    }

    fn abandon(&self, leg: &Leg) {
        if leg.is_trial {
            self.switchboard.abandoned(leg.target.id);
        }
    }

    /// It was dropped under way: cancelled, or unwound by the service.
    #[cold]
    fn lost(&mut self) {
        let Some(leg) = &self.leg else { return };
        if leg.is_running {
            self.failed(Trigger::Connection, text::of_words("it panicked"), None);
            return;
        }
        let waited = leg.is_waiting.then(|| clock::now() - leg.began);
        match waited.filter(|waited| self.switchboard.policy.charges_after(*waited)) {
            Some(waited) => {
                let why = text::of_words(&format!("its caller gave up after {waited:.0?}"));
                self.failed(Trigger::Timeout, why, None);
            }
            None => self.refused(),
        }
    }
}

impl Drop for Trip {
    #[inline]
    fn drop(&mut self) {
        if self.leg.is_some() {
            self.lost();
        }
    }
}

impl fmt::Debug for Trip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with = self.leg.as_ref().map(|leg| &leg.target.name);
        f.debug_struct("Trip").field("with", &with).finish_non_exhaustive()
    }
}

const UNDER_WAY: &str = "a future is not polled after it completed or panicked";
