use std::{fmt, sync::Arc};

use tokio::sync::Notify;

use super::{Health, Monitor, Policy, PolicyError, Probe, shared::Shared};
use crate::event::{Name, Observer, Observers};

/// Builds a [`Health`], and with [probes](Self::probe) its [`Monitor`].
#[must_use = "a builder does nothing until it builds"]
pub struct Builder<P = NoProbes> {
    name: Name,
    policy: Policy,
    observers: Observers,
    probes: P,
}

/// A target that nobody probes.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProbes(());

/// How a target is probed.
pub struct Probes(Vec<Box<dyn Probe>>);

impl Builder {
    pub(super) fn new(name: Name) -> Self {
        Self { name, policy: Policy::new(), observers: Observers::default(), probes: NoProbes(()) }
    }

    /// Probes the target in this way.
    pub fn probe(self, probe: impl Probe + 'static) -> Builder<Probes> {
        let Self { name, policy, observers, probes: NoProbes(()) } = self;
        Builder { name, policy, observers, probes: Probes(vec![Box::new(probe)]) }
    }

    /// Builds the handle of a target without a monitor.
    ///
    /// # Panics
    ///
    /// If a setting is out of range; see [`try_build`](Self::try_build).
    #[must_use]
    pub fn build(self) -> Health {
        match self.try_build() {
            Ok(health) => health,
            Err(error) => panic!("{error}"),
        }
    }

    /// Builds the handle from settings that come from outside.
    ///
    /// # Errors
    ///
    /// Names the first setting that is out of range, its value and the range.
    pub fn try_build(self) -> Result<Health, PolicyError> {
        self.policy.check()?;
        let bell = Arc::new(Notify::new());
        let shared = Shared::new(self.name, self.policy, self.observers, false, bell);
        Ok(Health::of(Arc::new(shared)))
    }
}

impl Builder<Probes> {
    /// Probes the target in this way too. How many of its probes must succeed, says the
    /// [quorum](Policy::quorum).
    pub fn probe(mut self, probe: impl Probe + 'static) -> Self {
        self.probes.0.push(Box::new(probe));
        self
    }

    /// Builds the handle, and the future that probes the target.
    ///
    /// # Panics
    ///
    /// If a setting is out of range; see [`try_monitor`](Self::try_monitor).
    pub fn monitor(self) -> (Health, Monitor) {
        match self.try_monitor() {
            Ok(both) => both,
            Err(error) => panic!("{error}"),
        }
    }

    /// Builds both from settings that come from outside.
    ///
    /// # Errors
    ///
    /// Names the first setting that is out of range, its value and the range.
    pub fn try_monitor(self) -> Result<(Health, Monitor), PolicyError> {
        self.policy.check()?;
        let Self { name, policy, observers, probes: Probes(probes) } = self;
        let bell = Arc::new(Notify::new());
        let shared = Arc::new(Shared::new(name, policy, observers, true, bell.clone()));
        let monitor = Monitor::new(&shared, bell, probes);
        Ok((Health::of(shared), monitor))
    }
}

impl<P> Builder<P> {
    /// How often it is checked and what its checks mean. Default: [`Policy::new`].
    pub fn policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// Tells this observer as well.
    pub fn observe(mut self, observer: impl Observer + 'static) -> Self {
        self.observers.push(observer);
        self
    }
}

impl fmt::Debug for Probes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} probes", self.0.len())
    }
}

impl<P: fmt::Debug> fmt::Debug for Builder<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, policy, observers, probes } = self;
        f.debug_struct("Builder")
            .field("name", name)
            .field("policy", policy)
            .field("observers", observers)
            .field("probes", probes)
            .finish()
    }
}
