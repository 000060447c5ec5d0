use std::{fmt, mem, time::Duration};

use super::slot::Slot;
use crate::{
    Outcome,
    gate::Pass,
    logic::{Moment, breaker::Ticket},
};

/// The right to make one call, from [`Circuit::permit`](super::Circuit::permit).
///
/// Settle it with the end of the call. Dropping it unsettled means that the call was cancelled,
/// which the circuit's [`Cancelled`](super::Cancelled) policy judges. A permit that was issued in an
/// earlier period of the circuit changes nothing.
#[must_use = "a permit that is dropped counts as a cancelled call"]
pub struct Permit {
    slot: &'static Slot,
    ticket: Ticket,
    began: Moment,
}

impl Permit {
    #[inline]
    pub(super) fn new(slot: &'static Slot, ticket: Ticket) -> Self {
        Self { slot, ticket, began: slot.begin() }
    }

    /// The backend answered.
    pub fn success(self) {
        self.settle(Outcome::Success, None);
    }

    /// The backend did not do its work.
    pub fn failure(self) {
        self.settle(Outcome::Failure, None);
    }

    /// The call says nothing about the backend.
    pub fn ignore(self) {
        self.settle(Outcome::Ignored, None);
    }

    /// Whether this is a probe of a half-open circuit.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.ticket.probe != 0
    }
}

impl Pass for Permit {
    #[inline]
    fn settle(self, outcome: Outcome, retry_after: Option<Duration>) {
        self.slot.settle(self.ticket, self.began, outcome, retry_after);
        mem::forget(self);
    }
}

impl Drop for Permit {
    #[inline]
    fn drop(&mut self) {
        self.slot.cancel(self.ticket, self.began);
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("probe", &self.is_probe()).finish_non_exhaustive()
    }
}
