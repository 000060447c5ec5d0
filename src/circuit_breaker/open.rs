use std::{error::Error, fmt, iter, time::Duration};

use crate::{clock, event::Name, logic::Moment};

/// The error of a call that a circuit refused: which circuit, and when to come back.
///
/// Services over a circuit have `Error = BoxError`; downcast to find this.
#[derive(Clone)]
pub struct Open {
    circuit: Name,
    until: Moment,
}

impl Open {
    pub(crate) fn new(circuit: Name, until: Moment) -> Self {
        Self { circuit, until }
    }

    /// The refusal in an error of a service: the error itself, or one among its sources.
    ///
    /// For a boxed error, pass `&*error`.
    #[must_use]
    pub fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        iter::successors(Some(error), |error| (*error).source()).find_map(<dyn Error>::downcast_ref)
    }

    /// The circuit that refused.
    #[must_use]
    pub fn circuit(&self) -> &str {
        self.circuit.as_str()
    }

    /// The time until the circuit lets the next probe through, or `None` if it waits for a hand.
    ///
    /// Counted from now, not from the refusal. Of a half-open circuit whose places are taken, the
    /// time until the first of them is free at the latest; of one that has closed and
    /// [ramps](super::Policy::ramp_for) up, the time until every call passes.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        (self.until != Moment::NEVER).then(|| self.until - clock::now())
    }
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "circuit {} is open", self.circuit)?;
        match self.retry_after() {
            Some(wait) => write!(f, ": next probe in {wait:?}"),
            None => write!(f, " until it is released by hand"),
        }
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open")
            .field("circuit", &self.circuit)
            .field("retry_after", &self.retry_after())
            .finish()
    }
}

impl Error for Open {}
