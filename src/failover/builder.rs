use std::{any::type_name, fmt, sync::Arc};

use super::{Backend, BuildError, Failover, Policy, Repeat, Upkeep, switchboard::Switchboard};
use crate::{
    ErrorsAreFailures,
    event::{Name, Observer, Observers},
};

/// Builds a [`Failover`].
#[must_use = "a builder does nothing until it builds"]
pub struct Builder<S, R = Repeat, C = ErrorsAreFailures> {
    name: Name,
    backends: Vec<Backend<S>>,
    policy: Policy,
    repeats: R,
    classifier: C,
    observers: Observers,
}

impl<S> Builder<S> {
    pub(super) fn new(name: Name) -> Self {
        Self {
            name,
            backends: Vec::new(),
            policy: Policy::new(),
            repeats: Repeat::default(),
            classifier: ErrorsAreFailures,
            observers: Observers::default(),
        }
    }
}

impl<S, R, C> Builder<S, R, C> {
    /// Adds a backend. The first of the best tier with the greatest weight serves first.
    pub fn backend(mut self, backend: Backend<S>) -> Self {
        self.backends.push(backend);
        self
    }

    /// How often and how long a call is tried, when a backend is left and when it is gone back to.
    /// Default: [`Policy::new`].
    pub fn policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// Which requests may be made again when they failed: a [`Repeat`], [`By`](super::By) a closure,
    /// or what an adapter knows of its commands. Default: [`Repeat::IfNotApplied`].
    pub fn repeat<R2>(self, repeats: R2) -> Builder<S, R2, C> {
        let Self { name, backends, policy, repeats: _, classifier, observers } = self;
        Builder { name, backends, policy, repeats, classifier, observers }
    }

    /// Tells failures of a backend from successes. Default: every error is a failure.
    ///
    /// It judges what the backend answered, before anything is boxed; a timeout is a failure anyway.
    pub fn classify<C2>(self, classifier: C2) -> Builder<S, R, C2> {
        let Self { name, backends, policy, repeats, classifier: _, observers } = self;
        Builder { name, backends, policy, repeats, classifier, observers }
    }

    /// Tells this observer of every [`Switch`](super::Switch).
    pub fn observe(mut self, observer: impl Observer + 'static) -> Self {
        self.observers.push(observer);
        self
    }
}

impl<S, R, C> Builder<S, R, C>
where
    S: Send + 'static,
{
    /// Builds the service and the future that looks after its backends.
    ///
    /// # Panics
    ///
    /// If a setting is out of range, two backends have the same name, or one lacks what the mode goes
    /// by; see [`try_build`](Self::try_build).
    pub fn build(self) -> (Failover<S, R, C>, Upkeep) {
        match self.try_build() {
            Ok(both) => both,
            Err(error) => panic!("{error}"),
        }
    }

    /// Builds both from settings that come from outside.
    ///
    /// # Errors
    ///
    /// Names the first setting that is out of range, or the first backend that does not fit.
    pub fn try_build(self) -> Result<(Failover<S, R, C>, Upkeep), BuildError> {
        let Self { name, backends, policy, repeats, classifier, observers } = self;
        policy.check().map_err(BuildError::Policy)?;
        let switchboard = Arc::new(Switchboard::new(name, policy, observers));
        switchboard.add(backends).map_err(BuildError::Backend)?;
        let upkeep = Upkeep::new(&switchboard);
        Ok((Failover::new(switchboard, repeats, classifier), upkeep))
    }
}

impl<S, R, C> fmt::Debug for Builder<S, R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("name", &self.name)
            .field("backends", &self.backends)
            .field("policy", &self.policy)
            .field("repeats", &format_args!("{}", type_name::<R>()))
            .field("classifier", &format_args!("{}", type_name::<C>()))
            .field("observers", &self.observers)
            .finish()
    }
}
