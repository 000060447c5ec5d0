use std::{
    collections::VecDeque,
    fmt, mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    clock,
    event::{Event, Name, Observers, Transition},
    logic::breaker::Change,
};

/// Tells a circuit's observers of its transitions: outside every lock, and in their order.
#[derive(Default)]
pub(super) struct Bulletin {
    board: Mutex<Board>,
}

#[derive(Default)]
struct Board {
    observers: Observers,
    /// Transitions not told yet, in their order.
    outbox: VecDeque<Transition>,
    /// Somebody is telling them.
    telling: bool,
    /// Counts the circuits that were served: who tells for one has no business with the next.
    circuit: u64,
}

impl Bulletin {
    /// Serves another circuit, and returns the observers of the last one: user code may run when
    /// they are dropped.
    pub(super) fn become_that_of(&self, observers: Observers) -> Observers {
        let mut board = self.lock();
        board.circuit += 1;
        board.telling = false;
        board.outbox.clear();
        mem::replace(&mut board.observers, observers)
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
        let circuit = board.circuit;
        if board.telling {
            return;
        }
        while let Some(transition) = board.outbox.pop_front() {
            board.telling = true;
            let observers = board.observers.clone();
            drop(board);
            observers.tell(&Event::Transition(&transition));
            // These may be the last that hold them, and a panic must not stop the telling.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(observers)));
            board = self.lock();
            if board.circuit != circuit {
                return;
            }
        }
        board.telling = false;
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
