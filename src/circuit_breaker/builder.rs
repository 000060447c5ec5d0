use super::{Circuit, Policy, PolicyError};
use crate::event::{Name, Observer, Observers};

/// Builds a [`Circuit`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct Builder {
    name: Name,
    policy: Policy,
    observers: Observers,
}

impl Builder {
    pub(super) fn new(name: Name) -> Self {
        Self { name, policy: Policy::new(), observers: Observers::default() }
    }

    /// When it trips and how it comes back. Default: [`Policy::new`].
    pub fn policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// Tells this observer as well.
    pub fn observe(mut self, observer: impl Observer + 'static) -> Self {
        self.observers.push(observer);
        self
    }

    /// Builds the circuit.
    ///
    /// # Panics
    ///
    /// If a setting is out of range; see [`try_build`](Self::try_build).
    #[must_use]
    pub fn build(self) -> Circuit {
        match self.try_build() {
            Ok(circuit) => circuit,
            Err(error) => panic!("{error}"),
        }
    }

    /// Builds the circuit from settings that come from outside.
    ///
    /// # Errors
    ///
    /// Names the first setting that is out of range, its value and the range.
    pub fn try_build(self) -> Result<Circuit, PolicyError> {
        self.policy.check()?;
        Ok(Circuit::with(self.name, self.policy, self.observers))
    }
}
