use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Event, Observer, Transition};

/// Keeps the last transitions of the circuits it observes, with wall-clock times.
///
/// A cheap clone of one shared, bounded ring: the oldest transition makes room for the newest.
#[derive(Clone, Debug)]
pub struct History {
    ring: Arc<Mutex<VecDeque<Transition>>>,
    capacity: usize,
}

impl History {
    /// Keeps the last `capacity` transitions.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { ring: Arc::default(), capacity }
    }

    /// What happened, oldest first.
    #[must_use]
    pub fn transitions(&self) -> Vec<Transition> {
        self.lock().iter().cloned().collect()
    }

    /// How many transitions it keeps at most.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Transition>> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for History {
    fn on_event(&self, event: &Event<'_>) {
        if let Event::Transition(transition) = *event {
            let mut ring = self.lock();
            ring.push_back(transition.clone());
            while ring.len() > self.capacity {
                ring.pop_front();
            }
        }
    }

    fn wants_refusals(&self) -> bool {
        false
    }
}
