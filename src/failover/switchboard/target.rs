use std::{
    any::Any,
    fmt,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use crate::{
    BoxError, Outcome,
    circuit_breaker::{Circuit, Open, Permit},
    clock,
    event::{Grade, Name, Trigger, text},
    failover::{Backend, CatchUp},
    gate::{Guard, Pass},
    health::{Health, Unhealthy},
    logic::{
        Moment,
        roster::{MemberId, Rank},
        score::Fading,
    },
};

/// A backend as the failover and the calls in flight know it; its service has no type here.
pub(crate) struct Target {
    pub(crate) id: MemberId,
    pub(crate) name: Name,
    pub(crate) rank: Rank,
    pub(crate) circuit: Option<Circuit>,
    pub(crate) health: Option<Health>,
    pub(crate) catch_up: Option<CatchUp>,
    /// Never called itself, only cloned; none once the backend is removed.
    prototype: Mutex<Option<Box<dyn Any + Send>>>,
    failures: AtomicU32,
    latency: Fading,
    success: Fading,
}

/// What was true this long ago counts half.
const HALF_LIFE: Duration = Duration::from_secs(10);

impl Target {
    pub(crate) fn new<S>(id: MemberId, backend: Backend<S>) -> Self
    where
        S: Send + 'static,
    {
        let Backend { name, service, rank, circuit, health, catch_up } = backend;
        Self {
            id,
            name,
            rank,
            circuit,
            health,
            catch_up,
            prototype: Mutex::new(Some(Box::new(service))),
            failures: AtomicU32::new(0),
            latency: Fading::new(HALF_LIFE),
            success: Fading::new(HALF_LIFE),
        }
    }

    /// A clone of its service, unless it was removed. The lock is this backend's alone; of the
    /// user's code only that `Clone` runs under it.
    pub(crate) fn service<S>(&self) -> Option<S>
    where
        S: Clone + 'static,
    {
        self.prototype().as_ref()?.downcast_ref::<S>().cloned()
    }

    /// Takes the service out; it is dropped where no lock is held.
    pub(crate) fn retire(&self) -> Option<Box<dyn Any + Send>> {
        self.prototype().take()
    }

    /// What its health says; one that refuses calls while nothing is known is as good as ill.
    pub(crate) fn grade(&self) -> Grade {
        match &self.health {
            Some(health) if health.refusal().is_some() => Grade::Unhealthy,
            Some(health) => health.grade(),
            None => Grade::Unknown,
        }
    }

    /// Whether its circuit is open. A half-open one is no reason to leave: calls that find no place
    /// among its probes are moved one by one.
    pub(crate) fn is_shut(&self) -> bool {
        self.circuit.as_ref().is_some_and(Circuit::is_open)
    }

    pub(crate) fn is_monitored(&self) -> bool {
        self.health.as_ref().is_some_and(Health::is_monitored)
    }

    /// Whether a call may go there, as far as its health says.
    #[inline]
    pub(crate) fn is_fine(&self) -> bool {
        self.unhealthy().is_none()
    }

    /// What its health has against calls.
    #[inline]
    pub(crate) fn unhealthy(&self) -> Option<Unhealthy> {
        self.health.as_ref().and_then(Health::refusal)
    }

    /// What its health or its circuit has against calls, in words.
    pub(crate) fn refusal(&self) -> Option<Name> {
        let refusal = |circuit: &Circuit| {
            Guard::<()>::refusal(circuit).map(|open: BoxError| text::of_error(&*open))
        };
        let unhealthy = self.unhealthy().map(|unhealthy| {
            text::of_words(&format!("{}: {}", unhealthy.grade(), unhealthy.reason()))
        });
        unhealthy.or_else(|| self.circuit.as_ref().and_then(refusal))
    }

    /// The time until it may be back at the earliest, looked at so often; `None` if that takes a
    /// hand.
    pub(crate) fn retry_after(&self, every: Duration) -> Option<Duration> {
        let open = self.circuit.as_ref().map_or(Some(Duration::ZERO), Circuit::retry_after)?;
        let unhealthy = self.unhealthy().and_then(|unhealthy| unhealthy.retry_after());
        Some(open.max(unhealthy.unwrap_or(every)))
    }

    /// The right to make one call; always there if it has no circuit.
    #[inline]
    pub(crate) fn permit(&self) -> Result<Option<Permit>, Open> {
        self.circuit.as_ref().map(Circuit::permit).transpose()
    }

    /// Charges its circuit with a failure outside of a call.
    pub(crate) fn charge(&self) {
        if let Ok(Some(permit)) = self.permit() {
            permit.settle(Outcome::Failure, None);
        }
    }

    #[inline]
    pub(crate) fn answered(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    /// Counts a failure; returns how many there were in a row.
    pub(crate) fn failed(&self) -> u32 {
        self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// Starts the row of failures anew.
    pub(crate) fn forget_failures(&self) {
        self.failures.store(0, Ordering::Relaxed);
    }

    /// Takes note of how long a call took and how it ended. What fails at once is not fast.
    pub(crate) fn sample(&self, began: Moment, failure: Option<Trigger>) {
        let now = clock::now();
        if matches!(failure, None | Some(Trigger::Timeout)) {
            self.latency.add((now - began).as_secs_f64(), now);
        }
        self.success.add(if failure.is_none() { 1.0 } else { 0.0 }, now);
    }

    /// The average time of its calls, in seconds.
    pub(crate) fn latency(&self) -> Option<f64> {
        self.latency.get()
    }

    /// The share of calls that succeeded, 0 to 1.
    pub(crate) fn success_rate(&self) -> Option<f64> {
        self.success.get()
    }

    fn prototype(&self) -> MutexGuard<'_, Option<Box<dyn Any + Send>>> {
        self.prototype.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("id", &self.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
