use std::{cell::RefCell, fmt, ptr};

use super::{Open, slot::Slot};
use crate::event::{Event, Name, Observers};

/// Held by every handle of a circuit; the last one gives the slot back.
pub(super) struct Lease {
    slot: &'static Slot,
    pub(super) name: Name,
    observers: Observers,
    wants_refusals: bool,
}

thread_local! {
    /// Whose observers are being told of a refusal on this thread: one that they run into
    /// themselves is not told, or there would be no end.
    static TELLING: RefCell<Vec<*const Lease>> = const { RefCell::new(Vec::new()) };
}

impl Lease {
    pub(super) fn new(slot: &'static Slot, name: Name, observers: Observers) -> Self {
        let wants_refusals = observers.want_refusals();
        Self { slot, name, observers, wants_refusals }
    }

    /// Whether somebody wants to know of refusals.
    #[inline]
    pub(super) fn wants_refusals(&self) -> bool {
        self.wants_refusals
    }

    /// Tells of a refused call.
    #[cold]
    pub(super) fn tell_refusal(&self, open: &Open) {
        if TELLING.with_borrow(|telling| telling.contains(&ptr::from_ref(self))) {
            return;
        }
        TELLING.with_borrow_mut(|telling| telling.push(self));
        self.observers
            .tell(&Event::Refused { circuit: &self.name, retry_after: open.retry_after() });
        TELLING.with_borrow_mut(Vec::pop);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.slot.retire();
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("name", &self.name).finish_non_exhaustive()
    }
}
