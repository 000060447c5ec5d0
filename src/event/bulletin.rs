use std::{
    collections::VecDeque,
    fmt, mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{Event, HealthChange, Observers, Switch, Transition, caught};

/// Tells observers of what changed: outside every lock, and in the order of the changes.
pub(crate) struct Bulletin<T> {
    board: Mutex<Board<T>>,
}

/// What a bulletin tells.
pub(crate) trait News {
    fn event(&self) -> Event<'_>;
}

struct Board<T> {
    observers: Observers,
    /// What is not told yet, in its order.
    outbox: VecDeque<T>,
    /// Somebody is telling it.
    telling: bool,
    /// Counts those that were served: who tells for one has no business with the next.
    owner: u64,
}

impl<T: News> Bulletin<T> {
    pub(crate) fn new(observers: Observers) -> Self {
        let board = Board { observers, outbox: VecDeque::new(), telling: false, owner: 0 };
        Self { board: Mutex::new(board) }
    }

    /// Serves another owner, and returns the observers of the last one: user code may run when
    /// they are dropped.
    pub(crate) fn become_that_of(&self, observers: Observers) -> Observers {
        let mut board = self.lock();
        board.owner += 1;
        board.telling = false;
        board.outbox.clear();
        mem::replace(&mut board.observers, observers)
    }

    /// Takes down a change, to be told by [`tell`](Self::tell). Called with the lock held under
    /// which it was made, so that the order is that of the changes.
    #[cold]
    pub(crate) fn post(&self, news: T) {
        self.lock().outbox.push_back(news);
    }

    /// Tells what was posted, unless somebody further up the stack or on another thread is at it
    /// already.
    #[cold]
    pub(crate) fn tell(&self) {
        let mut board = self.lock();
        let owner = board.owner;
        if board.telling {
            return;
        }
        while let Some(news) = board.outbox.pop_front() {
            board.telling = true;
            let observers = board.observers.clone();
            drop(board);
            observers.tell(&news.event());
            // These may be the last that hold them, and a panic must not stop the telling.
            let _ = caught(|| drop(observers));
            board = self.lock();
            if board.owner != owner {
                return;
            }
        }
        board.telling = false;
    }
}

impl<T> Bulletin<T> {
    fn lock(&self) -> MutexGuard<'_, Board<T>> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl News for Transition {
    fn event(&self) -> Event<'_> {
        Event::Transition(self)
    }
}

impl News for HealthChange {
    fn event(&self) -> Event<'_> {
        Event::Health(self)
    }
}

impl News for Switch {
    fn event(&self) -> Event<'_> {
        Event::Switched(self)
    }
}

impl<T> fmt::Debug for Bulletin<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulletin")
            .field("observers", &self.lock().observers)
            .finish_non_exhaustive()
    }
}
