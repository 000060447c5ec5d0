use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// How many calls may be held at the same time.
#[derive(Debug)]
pub(super) struct Places {
    free: AtomicUsize,
}

/// A held call's place, free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place(Arc<Places>);

impl Places {
    pub(super) const fn new(count: usize) -> Self {
        Self { free: AtomicUsize::new(count) }
    }

    pub(super) fn take(places: &Arc<Self>) -> Option<Place> {
        let take = |free: usize| free.checked_sub(1);
        places.free.fetch_update(Relaxed, Relaxed, take).ok().map(|_| Place(places.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.free.fetch_add(1, Relaxed);
    }
}
