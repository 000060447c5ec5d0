use std::{error::Error, fmt};

use crate::event::{Name, Reason};

/// The error of a strategy that has no answer: why, once per strategy that was tried.
///
/// Callers of the service never see it: they get the original result, and observers the reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    reasons: Vec<Reason>,
}

impl Failed {
    /// A strategy of this name did not answer, for this reason.
    pub fn new(strategy: impl Into<Name>, reason: impl fmt::Display) -> Self {
        Self { reasons: vec![Reason::new(strategy, reason.to_string())] }
    }

    /// Why each strategy failed, in the order they were tried.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        &self.reasons
    }

    /// These reasons, then those of the strategy that was tried next.
    #[must_use]
    pub fn then(mut self, next: Self) -> Self {
        self.reasons.extend(next.reasons);
        self
    }

    /// The same reasons under the name that the user gave the strategy.
    pub(super) fn named(self, name: &Name) -> Self {
        let renamed = |reason: Reason| Reason::new(name.clone(), reason.message());
        Self { reasons: self.reasons.into_iter().map(renamed).collect() }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, reason) in self.reasons.iter().enumerate() {
            write!(f, "{}{reason}", if n == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl Error for Failed {}
