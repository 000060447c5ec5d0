use std::{
    cell::RefCell,
    collections::VecDeque,
    fmt, mem, ptr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    clock,
    event::{Event, Name, Observers, Transition},
    logic::breaker::Change,
};

/// Tells a circuit's observers what happened: outside every lock, and the transitions in their
/// order.
#[derive(Default)]
pub(super) struct Bulletin {
    refusals_wanted: AtomicBool,
    board: Mutex<Board>,
}

#[derive(Default)]
struct Board {
    observers: Observers,
    /// Transitions not told yet, in their order.
    outbox: VecDeque<Transition>,
    /// Somebody is telling them.
    telling: bool,
}

impl Bulletin {
    /// Serves another circuit. User code may run when the old observers are dropped: outside of
    /// every lock.
    pub(super) fn become_that_of(&self, observers: Observers) {
        self.refusals_wanted.store(observers.want_refusals(), Ordering::Relaxed);
        let mut board = self.lock();
        let old = (mem::replace(&mut board.observers, observers), mem::take(&mut board.outbox));
        drop(board);
        drop(old);
    }

    /// Takes down a change, to be told by [`tell`](Self::tell). Called with the circuit's lock
    /// held, so that the order is that of the changes.
    #[cold]
    pub(super) fn post(&self, circuit: &Name, change: Change) {
        self.lock().outbox.push_back(Transition {
            circuit: circuit.clone(),
            from: change.from,
            to: change.to,
            cause: change.cause,
            lasts_for: change.lasts_for,
            metrics_only: change.metrics_only,
            at: clock::wall(),
        });
    }

    /// Tells what was posted, unless somebody further up the stack or on another thread is at it
    /// already.
    #[cold]
    pub(super) fn tell(&self) {
        let mut board = self.lock();
        if board.telling {
            return;
        }
        while let Some(transition) = board.outbox.pop_front() {
            board.telling = true;
            let observers = board.observers.clone();
            drop(board);
            observers.tell(&Event::Transition(&transition));
            drop(observers);
            board = self.lock();
        }
        board.telling = false;
    }

    /// Whether somebody wants to know of refusals.
    #[inline]
    pub(super) fn wants_refusals(&self) -> bool {
        self.refusals_wanted.load(Ordering::Relaxed)
    }

    /// Tells of a refused call.
    #[cold]
    pub(super) fn tell_refusal(&self, circuit: &Name, retry_after: Option<Duration>) {
        thread_local! {
            /// Whose observers are being told of a refusal on this thread: one that they run into
            /// themselves is not told, or there would be no end.
            static TELLING: RefCell<Vec<*const Bulletin>> = const { RefCell::new(Vec::new()) };
        }
        if TELLING.with_borrow(|telling| telling.contains(&ptr::from_ref(self))) {
            return;
        }
        let observers = self.lock().observers.clone();
        TELLING.with_borrow_mut(|telling| telling.push(self));
        observers.tell(&Event::Refused { circuit, retry_after });
        TELLING.with_borrow_mut(Vec::pop);
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Bulletin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulletin")
            .field("observers", &self.lock().observers)
            .finish_non_exhaustive()
    }
}
