use std::{fmt, sync::Arc, time::Duration};

use super::{Builder, Call, Open, Permit, Policy, PolicyError, Snapshot, lease::Lease, slot::Slot};
use crate::{
    BoxError, ErrorsAreFailures,
    event::{Name, Observers},
    gate::{Guard, Waiters},
    logic::{
        Moment, State,
        breaker::{Breaker, Change, Setting},
    },
};

/// A circuit breaker: the handle that layers, services and operators share.
///
/// A clone is another handle to the same circuit. Make the circuit first, then any number of layers
/// over it; or use it without Tower by [`call`](Self::call) and [`permit`](Self::permit).
///
/// ```
/// use tower_failover::circuit_breaker::{Circuit, Policy, State};
///
/// let circuit = Circuit::builder("redis").policy(Policy::consecutive(2)).build();
/// for _ in 0..2 {
///     circuit.permit().unwrap().failure();
/// }
/// assert_eq!(circuit.state(), State::Open);
/// let open = circuit.permit().unwrap_err();
/// assert_eq!(open.circuit(), "redis");
/// assert!(open.retry_after().is_some());
/// ```
#[derive(Clone)]
pub struct Circuit {
    slot: &'static Slot,
    lease: Arc<Lease>,
}

/// What would be lost with a circuit, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stake {
    /// It is closed, or its forced state is over.
    Nothing,
    /// It lets its next probe through.
    Probing,
    /// Its open time runs.
    Refusing,
    /// A hand forced it, and that lasts.
    Forced,
}

impl Circuit {
    /// A closed circuit with the default [`Policy`].
    #[must_use]
    pub fn new(name: impl Into<Name>) -> Self {
        Self::builder(name).build()
    }

    /// A circuit with settings and observers. A name that is a literal is the cheapest.
    pub fn builder(name: impl Into<Name>) -> Builder {
        Builder::new(name.into())
    }

    pub(super) fn with(name: Name, policy: Policy, observers: Observers) -> Self {
        let slot = Slot::take(name.clone(), policy, observers.clone());
        Self { slot, lease: Arc::new(Lease::new(slot, name, observers)) }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.lease.name.as_str()
    }

    /// Asks for the right to make one call.
    ///
    /// # Errors
    ///
    /// [`Open`] if the circuit refuses.
    #[inline]
    pub fn permit(&self) -> Result<Permit, Open> {
        let permit = self.ask();
        if let Err(open) = &permit
            && self.lease.wants_refusals()
        {
            self.lease.tell_refusal(open);
        }
        permit
    }

    /// Runs a future if the circuit lets it pass; every error is a failure.
    ///
    /// The circuit is asked when the returned future is first polled. See
    /// [`Call::classify`] for errors that are the caller's own.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use tower_failover::circuit_breaker::{CallError, Circuit};
    ///
    /// let circuit = Circuit::new("db");
    /// let answer: Result<u32, CallError<std::io::Error>> = circuit.call(async { Ok(42) }).await;
    /// assert_eq!(answer.unwrap(), 42);
    /// # }
    /// ```
    pub fn call<F>(&self, future: F) -> Call<F, ErrorsAreFailures> {
        Call::new(self.clone(), future, ErrorsAreFailures)
    }

    /// The state now.
    ///
    /// An open circuit whose time is over stays open until a call asks for its probe.
    #[must_use]
    pub fn state(&self) -> State {
        self.slot.inspect(|breaker, _, _| breaker.state())
    }

    /// How long until the circuit lets a call through; zero if it does now, `None` if it waits for
    /// a hand.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.slot.retry_after()
    }

    /// Whether it refuses because it is open; while its probes are out, a half-open one refuses too.
    pub(crate) fn is_open(&self) -> bool {
        self.retry_after() != Some(Duration::ZERO)
            && self.slot.glance(|breaker| match breaker.state() {
                State::Open | State::ForcedOpen => true,
                State::Closed | State::HalfOpen | State::ForcedClosed | State::MetricsOnly => false,
            })
    }

    /// The state and all counts, for people and dashboards.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.slot.inspect(|breaker, meter, setting| {
            Snapshot::new(self.lease.name.clone(), breaker, meter, setting)
        })
    }

    /// Refuses every call until [released](Self::release).
    pub fn force_open(&self) {
        self.change(|breaker, now| breaker.force_open(Moment::NEVER, now));
    }

    /// Refuses every call for this long, or until [released](Self::release).
    pub fn force_open_for(&self, duration: Duration) {
        self.change(|breaker, now| breaker.force_open(now + duration, now));
    }

    /// Lets every call pass, uncounted, until [released](Self::release).
    pub fn force_closed(&self) {
        self.change(|breaker, now| breaker.force_closed(Moment::NEVER, now));
    }

    /// Lets every call pass, uncounted, for this long, or until [released](Self::release).
    pub fn force_closed_for(&self, duration: Duration) {
        self.change(|breaker, now| breaker.force_closed(now + duration, now));
    }

    /// Lets every call pass and counts, until [released](Self::release): transitions are reported
    /// as what would have happened.
    pub fn metrics_only(&self) {
        self.change(|breaker, now| breaker.metrics_only(Moment::NEVER, now));
    }

    /// Like [`metrics_only`](Self::metrics_only), for this long at most.
    pub fn metrics_only_for(&self, duration: Duration) {
        self.change(|breaker, now| breaker.metrics_only(now + duration, now));
    }

    /// Ends a forced state: the circuit is closed, with nothing counted.
    pub fn release(&self) {
        self.change(|breaker, _| breaker.release());
    }

    /// Closes the circuit and forgets what it counted. A forced state stays.
    pub fn reset(&self) {
        self.change(|breaker, _| breaker.reset());
    }

    /// The settings.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.slot.policy()
    }

    /// Replaces the settings. The state stays, and so do the counts.
    ///
    /// When a window has another shape now, or calls are slow from another time on, the rates start
    /// anew and calls in flight do not count; failures in a row stay.
    ///
    /// # Errors
    ///
    /// Names the first setting that is out of range; then nothing has changed.
    pub fn set_policy(&self, policy: Policy) -> Result<(), PolicyError> {
        policy.check()?;
        self.slot.set_policy(policy);
        Ok(())
    }

    /// Whether somebody else has a handle to this circuit.
    pub(super) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.lease) > 1
    }

    /// What would be lost with this circuit. Tells no observer, so a lock may be held.
    pub(super) fn stake(&self, now: Moment) -> Stake {
        self.slot.glance(|breaker| {
            let lasts = breaker.lasts_until().is_some_and(|until| now < until);
            match breaker.state() {
                State::Open if lasts => Stake::Refusing,
                State::Open | State::HalfOpen => Stake::Probing,
                State::ForcedOpen | State::ForcedClosed | State::MetricsOnly if lasts => {
                    Stake::Forced
                }
                State::Closed | State::ForcedOpen | State::ForcedClosed | State::MetricsOnly => {
                    Stake::Nothing
                }
            }
        })
    }

    fn change(&self, act: impl FnOnce(&mut Breaker, Moment) -> Option<Change>) {
        self.slot.decide(|breaker, setting: Setting<'_>| ((), act(breaker, setting.now)));
    }

    #[inline]
    fn ask(&self) -> Result<Permit, Open> {
        match self.slot.admit() {
            Ok(ticket) => Ok(Permit::new(self.slot, ticket)),
            Err(refusal) => Err(self.open(refusal.until)),
        }
    }

    #[cold]
    fn open(&self, until: Moment) -> Open {
        Open::new(self.lease.name.clone(), until)
    }

    #[cold]
    fn refusal_now(&self) -> Option<BoxError> {
        self.slot.shut_until().map(|until| self.boxed_open(until))
    }

    #[cold]
    fn late_refusal(&self, until: Moment) -> BoxError {
        self.boxed_open(until)
    }

    /// Made here and not by the gate, so that the error is never moved.
    #[inline]
    fn boxed_open(&self, until: Moment) -> BoxError {
        Box::new(Open::new(self.lease.name.clone(), until))
    }
}

impl<Request> Guard<Request> for Circuit {
    type Pass = Permit;
    type Rejection = BoxError;

    #[inline]
    fn refusal(&self) -> Option<BoxError> {
        if self.slot.is_shut() { self.refusal_now() } else { None }
    }

    #[inline]
    fn admit(&self, _: &Request) -> Result<Permit, BoxError> {
        match self.slot.admit() {
            Ok(ticket) => Ok(Permit::new(self.slot, ticket)),
            Err(refusal) => Err(self.late_refusal(refusal.until)),
        }
    }

    #[inline]
    fn refused(&self, rejection: &BoxError) {
        if self.lease.wants_refusals()
            && let Some(open) = rejection.downcast_ref()
        {
            self.lease.tell_refusal(open);
        }
    }

    fn charge(&self) -> Option<Permit> {
        self.ask().ok()
    }

    fn waiters(&self) -> Option<&Waiters> {
        Some(self.slot.waiters())
    }
}

impl fmt::Debug for Circuit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Circuit")
            .field("name", &self.lease.name)
            .field("state", &self.slot.glance(Breaker::state))
            .finish_non_exhaustive()
    }
}
