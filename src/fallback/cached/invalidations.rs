use std::{collections::VecDeque, sync::Arc};

use super::entry::Entry;
use crate::event::Name;

/// The latest invalidations, numbered, so that a call can tell which of them came while it ran.
pub(super) struct Invalidations<K, V> {
    last: u64,
    latest: VecDeque<Arc<Invalidation<K, V>>>,
}

/// What is to be forgotten.
pub(super) enum Invalidation<K, V> {
    Key(K),
    Tag(Name),
    If(Arc<Predicate<K, V>>),
    All,
}

pub(super) type Predicate<K, V> = dyn Fn(&K, &V) -> bool + Send + Sync;

/// What came since a number.
pub(super) enum News<K, V> {
    Nothing,
    Some {
        last: u64,
        invalidations: Vec<Arc<Invalidation<K, V>>>,
    },
    /// More than the log holds.
    TooMuch,
}

/// A call during which more than these came does not get its answer kept.
const MOST: usize = 4_096;

impl<K, V> Invalidations<K, V> {
    pub(super) const fn new() -> Self {
        Self { last: 0, latest: VecDeque::new() }
    }

    /// Returns its number, and the one that leaves for it, to be dropped outside of the lock.
    pub(super) fn push(
        &mut self,
        new: Arc<Invalidation<K, V>>,
    ) -> (u64, Option<Arc<Invalidation<K, V>>>) {
        let oldest = if self.latest.len() == MOST { self.latest.pop_front() } else { None };
        self.latest.push_back(new);
        self.last += 1;
        (self.last, oldest)
    }

    pub(super) fn since(&self, seen: u64) -> News<K, V> {
        match usize::try_from(self.last - seen) {
            Ok(0) => News::Nothing,
            Ok(new) if new <= self.latest.len() => {
                let invalidations = self.latest.iter().skip(self.latest.len() - new).cloned();
                News::Some { last: self.last, invalidations: invalidations.collect() }
            }
            Ok(_) | Err(_) => News::TooMuch,
        }
    }
}

impl<K, V> Invalidation<K, V>
where
    K: Eq,
{
    pub(super) fn hits(&self, key: &K, entry: &Entry<V>) -> bool {
        match self {
            Self::Key(hit) => hit == key,
            Self::Tag(tag) => entry.tags.contains(tag),
            Self::If(predicate) => predicate(key, &entry.stored),
            Self::All => true,
        }
    }

    /// Whether it may hit what is not known yet.
    pub(super) fn may_hit(&self, key: &K) -> bool {
        match self {
            Self::Key(hit) => hit == key,
            Self::Tag(_) | Self::If(_) | Self::All => true,
        }
    }
}
