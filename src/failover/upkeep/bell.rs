use std::{
    fmt, mem,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use crate::event::caught;

/// Wakes the upkeep. A ring that nobody waits for is kept for the next who does.
#[derive(Default)]
pub(crate) struct Bell(Mutex<State>);

#[derive(Default)]
struct State {
    rung: bool,
    waker: Option<Waker>,
}

impl Bell {
    pub(crate) fn ring(&self) {
        let mut state = self.lock();
        state.rung = true;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            let _ = caught(|| waker.wake());
        }
    }

    /// Whether it was rung since the last time; wakes this task when it is again.
    pub(crate) fn listen(&self, waker: &Waker) -> bool {
        let mut state = self.lock();
        let old = state.waker.replace(waker.clone());
        let rung = mem::take(&mut state.rung);
        drop(state);
        drop(old);
        rung
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bell").field(&self.lock().rung).finish()
    }
}
