use std::{fmt, future::poll_fn, sync::Arc, task::Poll, time::Duration};

use super::{
    Builder, Grade, HealthChange, NoProbes, Policy, PolicyError, Signals, Snapshot, Unhealthy,
    control::Control, report::Report, shared::Shared,
};
use crate::{
    event::{Name, text},
    gate::{Guard, Waiter, Waiters},
    logic::Moment,
};

/// The health of one target: the handle that its monitor, its guards and operators share.
///
/// A clone is another handle to the same target. Make it first, then any number of layers over it.
/// With [probes](Builder::probe) a [`Monitor`](super::Monitor) comes with it; without, it knows what
/// it is told, and somebody has to go on telling it while calls are refused because of it.
///
/// ```
/// use std::time::Duration;
/// use tower_failover::health::{Grade, Health};
///
/// let health = Health::new("inventory");
/// assert_eq!(health.grade(), Grade::Unknown);
/// health.succeeded(Duration::from_millis(3));
/// assert_eq!(health.grade(), Grade::Healthy);
/// for _ in 0..3 {
///     health.failed("connection refused");
/// }
/// let unhealthy = health.refusal().expect("three failures in a row");
/// assert_eq!(unhealthy.reason(), "connection refused");
/// ```
#[derive(Clone)]
pub struct Health {
    shared: Arc<Shared>,
}

impl Health {
    /// A target without a monitor, with the default [`Policy`].
    #[must_use]
    pub fn new(name: impl Into<Name>) -> Self {
        Self::builder(name).build()
    }

    /// A target with settings, observers and probes.
    pub fn builder(name: impl Into<Name>) -> Builder<NoProbes> {
        Builder::new(name.into())
    }

    pub(super) fn of(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The name of the target.
    #[must_use]
    pub fn name(&self) -> &str {
        self.shared.name.as_str()
    }

    /// How it is now.
    #[inline]
    #[must_use]
    pub fn grade(&self) -> Grade {
        self.shared.grade()
    }

    /// Whether a monitor looks after it: one was made, and was not dropped.
    #[inline]
    #[must_use]
    pub fn is_monitored(&self) -> bool {
        self.shared.sign.is_monitored()
    }

    /// Why calls would be refused now, if they would: while it is unhealthy, and while it is
    /// unknown unless the policy says [`Pass`](super::WhileUnknown::Pass).
    #[inline]
    #[must_use]
    pub fn refusal(&self) -> Option<Unhealthy> {
        if self.shared.sign.refuses() { self.refusal_now() } else { None }
    }

    #[cold]
    fn refusal_now(&self) -> Option<Unhealthy> {
        self.shared.look(|control, now| {
            let target = self.shared.name.clone();
            let (grade, since) = (control.grade(now), control.since(now));
            let until = control.earliest_return(now).map_or(Moment::NEVER, |wait| now + wait);
            control
                .refuses(now)
                .then(|| Unhealthy::new(target, grade, since, control.reason.clone(), until))
        })
    }

    /// Everything that is known of it, for people and dashboards.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let name = self.shared.name.clone();
        self.shared.look(|control, now| Snapshot::new(name, control, now))
    }

    /// Its last 64 changes, oldest first.
    #[must_use]
    pub fn history(&self) -> Vec<HealthChange> {
        self.shared.look(|control, _| control.history.iter().cloned().collect())
    }

    /// It did its work, in this time: counts as a good check. With a monitor it does not count:
    /// calls that succeed must not hide probes that fail, and take another time.
    pub fn succeeded(&self, latency: Duration) {
        self.shared.note(Report::Good(Some(latency)), None);
    }

    /// It did not do its work: counts as a bad check, with a monitor too. The text is cut after 256
    /// bytes.
    pub fn failed(&self, error: impl fmt::Display) {
        self.shared.note(Report::Bad(text::of_words(&error)), None);
    }

    /// It does not answer: it is unhealthy at once, until good checks say otherwise. The reason is
    /// cut after 256 bytes.
    pub fn down(&self, reason: impl Into<Name>) {
        self.down_for(reason.into(), None);
    }

    /// Down, as somebody says who lets a call pass after this time to see whether it is back.
    pub(super) fn down_for(&self, reason: Name, looks_after: Option<Duration>) {
        let reason = text::of_words(&reason);
        self.shared.note(Report::Down { reason, looks_after }, None);
    }

    /// It is said to answer again. Bad news is believed, good news is checked: its monitor checks it
    /// now, and as often as it takes to be sure, an eighth of an interval apart. Without a monitor it
    /// counts at once.
    pub fn up(&self) {
        if self.shared.set(Control::check_soon) {
            self.shared.ring();
        } else {
            self.shared.note(Report::Up, None);
        }
    }

    /// Has it checked now, and waits for the end of the check. Without a monitor, the grade as it is.
    ///
    /// A check that is under way already does not count: one is made that begins after this call.
    /// A monitor that nobody polls yet is waited for.
    ///
    /// # Cancel safety
    ///
    /// The check is made even if nobody waits for it any more.
    pub async fn check_now(&self) -> Grade {
        if let Some(number) = self.ask() {
            let is_over = || self.shared.look(|control, _| control.rounds.is_over(number));
            wait_until(&self.shared.asking, is_over).await;
        }
        self.grade()
    }

    /// Waits until it answers: until it is healthy or degraded.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped. Who waits costs no polls until the grade changes.
    pub async fn wait_until_healthy(&self) {
        let answers = || match self.grade() {
            Grade::Healthy | Grade::Degraded => true,
            Grade::Unknown | Grade::Unhealthy => false,
        };
        wait_until(&self.shared.waiters, answers).await;
    }

    /// An observer for circuits and connections of this target: their bad news counts at once.
    #[must_use]
    pub fn signals(&self) -> Signals {
        Signals::of(&self.shared)
    }

    /// Learns anew what is usual for it, as after a move to another machine.
    pub fn forget_baseline(&self) {
        self.shared.set(|control| control.vitals.forget_baseline());
    }

    /// The settings.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.shared.look(|control, _| control.policy)
    }

    /// Replaces the settings. What is known of the target stays.
    ///
    /// # Errors
    ///
    /// Names the first setting that is out of range; then nothing has changed.
    pub fn set_policy(&self, policy: Policy) -> Result<(), PolicyError> {
        policy.check()?;
        self.shared.set(|control| control.policy = policy);
        // While it is unknown, other calls may pass now than did before.
        self.shared.waiters.wake();
        self.shared.ring();
        Ok(())
    }

    /// Woken at each change of grade, and of the settings.
    #[inline]
    pub(crate) fn waiters(&self) -> &Waiters {
        &self.shared.waiters
    }

    /// Asks the monitor for a check, if there is one; the number of that check.
    fn ask(&self) -> Option<u64> {
        let number = self.shared.set(|control| {
            let is_monitored = control.rounds.is_monitored;
            is_monitored.then(|| control.rounds.ask())
        })?;
        self.shared.ring();
        Some(number)
    }
}

async fn wait_until(waiters: &Waiters, is_so: impl Fn() -> bool) {
    let mut waiter = Waiter::new();
    poll_fn(|cx| {
        if is_so() {
            return Poll::Ready(());
        }
        waiters.register(&mut waiter, cx.waker());
        // It may have become so before the waiter was known.
        if is_so() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

impl<Request> Guard<Request> for Health {
    type Pass = ();
    type Rejection = Unhealthy;

    #[inline]
    fn refusal(&self) -> Option<Unhealthy> {
        Self::refusal(self)
    }

    #[inline]
    fn admit(&self, _: &Request) -> Result<(), Unhealthy> {
        match Self::refusal(self) {
            Some(unhealthy) => Err(unhealthy),
            None => Ok(()),
        }
    }

    fn waiters(&self) -> Option<&Waiters> {
        Some(Self::waiters(self))
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.shared, f)
    }
}
