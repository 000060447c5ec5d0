use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    Outcome, clock,
    event::{Bulletin, Name, Observers, Transition},
    gate::Waiters,
    logic::{
        Cause, Moment, Policy,
        breaker::{Breaker, Change, Face, Refusal, Setting, Ticket, Verdict},
        meter::{Meter, Reading},
        sign::Sign,
    },
};

/// The state of one circuit.
///
/// A slot lives as long as the process, so that permits refer to it without counting references: a
/// shared count would cost every call more than all the rest. When the last handle of a circuit is
/// dropped, its slot goes back to a pool and serves another circuit. Periods are never used twice,
/// so what is still out from the earlier circuit is void.
#[derive(Debug)]
pub(super) struct Slot {
    sign: Sign,
    meter: Meter,
    waiters: Waiters,
    bulletin: Bulletin<Transition>,
    control: Mutex<Control>,
}

/// What only changes with the lock held.
#[derive(Debug)]
struct Control {
    breaker: Breaker,
    policy: Policy,
    name: Name,
}

static POOL: Mutex<Vec<&'static Slot>> = Mutex::new(Vec::new());

impl Slot {
    /// A slot for a circuit that nobody has a handle to.
    pub(super) fn take(name: Name, policy: Policy, observers: Observers) -> &'static Self {
        let pooled = lock(&POOL).pop();
        let slot = pooled.unwrap_or_else(|| Box::leak(Box::new(Self::empty())));
        slot.become_circuit(name, policy, observers);
        slot
    }

    /// Gives the slot back. What is still out is void from now on.
    pub(super) fn retire(&'static self) {
        let old = self.become_circuit(Name::from(""), Policy::manual(), Observers::default());
        lock(&POOL).push(self);
        // The user's code may run in this, and panic.
        drop(old);
    }

    fn empty() -> Self {
        Self {
            sign: Sign::new(),
            meter: Meter::new(),
            waiters: Waiters::new(),
            bulletin: Bulletin::new(Observers::default()),
            control: Mutex::new(Control {
                breaker: Breaker::new(0),
                policy: Policy::manual(),
                name: Name::from(""),
            }),
        }
    }

    /// Returns the observers of the circuit it was.
    fn become_circuit(&self, name: Name, policy: Policy, observers: Observers) -> Observers {
        let mut control = lock(&self.control);
        control.breaker = Breaker::new(control.breaker.period() + 1);
        control.policy = policy;
        control.name = name;
        self.meter.start(control.breaker.period(), &control.policy);
        self.publish(&control);
        drop(control);
        self.bulletin.become_that_of(observers)
    }

    pub(super) fn waiters(&self) -> &Waiters {
        &self.waiters
    }

    /// Whether a look at the time could tell that every call is refused now.
    #[inline]
    pub(super) fn is_shut(&self) -> bool {
        self.sign.is_shut()
    }

    /// When a refusal ends, if every call would be refused now.
    #[inline]
    pub(super) fn shut_until(&self) -> Option<Moment> {
        match self.sign.read() {
            (_, Face::Shut(until)) if is_ahead(until) => Some(until),
            (_, Face::Shut(_) | Face::Closed | Face::Free | Face::Ask) => None,
        }
    }

    #[inline]
    pub(super) fn admit(&self) -> Result<Ticket, Refusal> {
        match self.sign.closed() {
            Some(period) => Ok(Ticket { period, probe: 0 }),
            None => self.ask(),
        }
    }

    #[cold]
    #[inline(never)]
    fn ask(&self) -> Result<Ticket, Refusal> {
        match self.sign.read() {
            (period, Face::Closed) => Ok(Ticket { period, probe: 0 }),
            (_, Face::Free) => Ok(Ticket::UNCOUNTED),
            (_, Face::Shut(until)) if is_ahead(until) => Err(Refusal { until }),
            (_, Face::Shut(_) | Face::Ask) => self.decide(Breaker::admit),
        }
    }

    /// When a call began, or `NEVER` if the policy does not need to know.
    #[inline]
    pub(super) fn begin(&self) -> Moment {
        if self.meter.is_timed() { clock::now() } else { Moment::NEVER }
    }

    #[inline]
    pub(super) fn settle(
        &self,
        ticket: Ticket,
        began: Moment,
        outcome: Outcome,
        retry_after: Option<Duration>,
    ) {
        let idle = outcome == Outcome::Success && ticket.probe == 0;
        if !(idle && self.meter.passes_over_successes()) {
            self.count(ticket, began, outcome, retry_after);
        }
    }

    #[inline(never)]
    fn count(
        &self,
        ticket: Ticket,
        began: Moment,
        outcome: Outcome,
        retry_after: Option<Duration>,
    ) {
        let failed = match outcome {
            Outcome::Success => false,
            Outcome::Failure => true,
            Outcome::Ignored => return self.release(ticket),
        };
        if ticket.period != self.sign.period() {
            return;
        }
        let took = since(began);
        if ticket.probe != 0 {
            return self.settle_probe(ticket, failed, took, retry_after);
        }
        let reading = Reading { failed, took };
        if let Some(cause) = self.meter.record(ticket.period, reading, clock::coarse) {
            self.trip(ticket.period, cause, retry_after);
        }
    }

    #[cold]
    fn trip(&self, period: u64, cause: Cause, retry_after: Option<Duration>) {
        self.decide(|breaker, setting| ((), breaker.trip(period, cause, setting, retry_after)));
    }

    /// A call was cancelled.
    #[cold]
    #[inline(never)]
    pub(super) fn cancel(&self, ticket: Ticket, began: Moment) {
        let outcome = match self.meter.is_failure_when_cancelled(since(began)) {
            true => Outcome::Failure,
            false => Outcome::Ignored,
        };
        self.settle(ticket, began, outcome, None);
    }

    /// A call said nothing: its place is free again.
    #[cold]
    fn release(&self, ticket: Ticket) {
        if ticket.probe != 0 && ticket.period == self.sign.period() {
            self.decide(|breaker, setting| {
                ((), breaker.settle(ticket, Verdict::Ignored, setting, None))
            });
        }
    }

    #[cold]
    fn settle_probe(
        &self,
        ticket: Ticket,
        failed: bool,
        took: Option<Duration>,
        retry_after: Option<Duration>,
    ) {
        let slow = took.is_some_and(|took| self.meter.is_slow(took));
        let verdict = match (failed, slow) {
            (true, _) => Verdict::Failure,
            (false, true) => Verdict::Slow,
            (false, false) => Verdict::Success,
        };
        self.decide(|breaker, setting| ((), breaker.settle(ticket, verdict, setting, retry_after)));
    }

    /// Replaces the settings and keeps the state.
    pub(super) fn set_policy(&self, policy: Policy) {
        let mut control = lock(&self.control);
        let old = std::mem::replace(&mut control.policy, policy);
        if control.breaker.is_counting() && !old.counts_like(&policy) {
            // The counts have another shape now: what is out was admitted under the old one.
            control.breaker.renew_period();
            self.meter.restart(control.breaker.period(), &policy);
        } else {
            self.meter.configure(&policy);
        }
        let shut = self.publish(&control);
        drop(control);
        if shut {
            self.waiters.wake();
        }
    }

    pub(super) fn policy(&self) -> Policy {
        lock(&self.control).policy
    }

    /// Looks at the state after what time alone did to it.
    pub(super) fn inspect<T>(&self, look: impl FnOnce(&Breaker, &Meter, Setting<'_>) -> T) -> T {
        self.decide(|breaker, setting| (look(breaker, &self.meter, setting), None))
    }

    /// Looks at the state as it was left: changes nothing, so no observer is told.
    pub(super) fn glance<T>(&self, look: impl FnOnce(&Breaker) -> T) -> T {
        look(&lock(&self.control).breaker)
    }

    /// Changes the state by an act of the breaker: shows the new face, then wakes who waits, then
    /// tells the observers, the last two without the lock.
    pub(super) fn decide<T>(
        &self,
        act: impl FnOnce(&mut Breaker, Setting<'_>) -> (T, Option<Change>),
    ) -> T {
        let random = fastrand::f64();
        let mut control = lock(&self.control);
        let Control { breaker, policy, name } = &mut *control;
        let setting = Setting { policy, now: clock::now(), random };
        let before = breaker.period();
        let by_time = breaker.pass_time(setting);
        let (answer, by_act) = act(breaker, setting);
        if breaker.period() != before && breaker.is_counting() {
            self.meter.start(breaker.period(), policy);
        }
        let mut news = false;
        for change in [by_time, by_act].into_iter().flatten() {
            self.bulletin.post(transition(name, change));
            news = true;
        }
        let shut = self.publish(&control);
        drop(control);
        if shut {
            self.waiters.wake();
        }
        if news {
            self.bulletin.tell();
        }
        answer
    }

    /// Shows the face of the circuit; returns whether that shut it.
    fn publish(&self, control: &Control) -> bool {
        let (_, old) = self.sign.read();
        let face = control.breaker.face(&control.policy);
        self.sign.publish(control.breaker.period(), face);
        matches!(face, Face::Shut(_)) && old != face
    }

    /// How long until a call may pass, or `None` if that takes a hand.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self.shut_until() {
            None => Some(Duration::ZERO),
            Some(Moment::NEVER) => None,
            Some(until) => Some(until - clock::now()),
        }
    }
}

#[cold]
fn transition(circuit: &Name, change: Change) -> Transition {
    let Change { from, to, cause, lasts_for, metrics_only } = change;
    let (circuit, at) = (circuit.clone(), clock::wall());
    Transition { circuit, from, to, cause, lasts_for, metrics_only, at }
}

#[inline]
fn since(began: Moment) -> Option<Duration> {
    (began != Moment::NEVER).then(|| clock::now() - began)
}

/// Whether a moment is still to come. The coarse clock lags a little: near the moment, the exact
/// one decides, so that who waits as long as he was told is not refused again.
#[inline]
fn is_ahead(until: Moment) -> bool {
    const LAG: Duration = Duration::from_millis(20);
    until == Moment::NEVER || clock::coarse() + LAG < until || clock::now() < until
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
