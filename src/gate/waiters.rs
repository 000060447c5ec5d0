use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::Waker,
};

use crate::event::caught;

/// Tasks that wait for an inner service and want to know when their gate shuts.
#[derive(Default)]
pub struct Waiters(Mutex<Vec<Weak<Slot>>>);

/// A service's place among the [`Waiters`]; empty until it first waits.
#[derive(Default)]
pub(crate) struct Waiter(Option<Arc<Slot>>);

#[derive(Default)]
struct Slot(Mutex<Option<Waker>>);

impl Waiters {
    /// No one waits.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Wakes everybody who waits.
    pub fn wake(&self) {
        let mut wakers = Vec::new();
        lock(&self.0).retain(|slot| match slot.upgrade() {
            Some(slot) => {
                wakers.extend(slot.take());
                true
            }
            None => false,
        });
        for waker in wakers {
            // One that panics must not keep the others asleep.
            let _ = caught(|| waker.wake());
        }
    }

    /// Remembers to wake this task. Who registers looks at the gate once more afterwards.
    pub(crate) fn register(&self, waiter: &mut Waiter, waker: &Waker) {
        let Waiter(place) = waiter;
        if let Some(slot) = place {
            slot.set(waker);
            return;
        }
        let slot = place.insert(Arc::default());
        slot.set(waker);
        let mut waiting = lock(&self.0);
        if waiting.len() == waiting.capacity() {
            waiting.retain(|slot| slot.strong_count() > 0);
            if waiting.len() > waiting.capacity() / 2 {
                // Where few have left, the next look at everybody is as many places away.
                let more = waiting.len();
                waiting.reserve(more);
            }
        }
        waiting.push(Arc::downgrade(slot));
    }
}

impl Waiter {
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// Waits no longer.
    #[inline]
    pub(crate) fn rest(&self) {
        if let Some(slot) = &self.0 {
            slot.rest();
        }
    }
}

impl Slot {
    fn set(&self, waker: &Waker) {
        let old = lock(&self.0).replace(waker.clone());
        drop(old);
    }

    #[cold]
    fn rest(&self) {
        drop(self.take());
    }

    fn take(&self) -> Option<Waker> {
        lock(&self.0).take()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Waiters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Waiters({})", lock(&self.0).len())
    }
}

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waits = self.0.as_ref().is_some_and(|slot| lock(&slot.0).is_some());
        f.debug_tuple("Waiter").field(&waits).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_one_leaves_and_one_comes_everybody_is_looked_at_seldom() {
        const MANY: usize = 4_096;
        let waiters = Waiters::new();
        let mut waiting = std::collections::VecDeque::new();
        let (mut looks, mut last) = (0, 0);
        for turn in 0..3 * MANY {
            if turn >= MANY {
                drop(waiting.pop_front());
            }
            let mut waiter = Waiter::new();
            waiters.register(&mut waiter, Waker::noop());
            waiting.push_back(waiter);
            let known = lock(&waiters.0).len();
            looks += usize::from(turn >= MANY && known <= last);
            last = known;
        }
        assert!((1..=4).contains(&looks), "{looks} looks at {MANY}");
        assert!(lock(&waiters.0).capacity() <= 4 * MANY);
    }
}
