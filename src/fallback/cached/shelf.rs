use std::{
    hash::Hash,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use quick_cache::{DefaultHashBuilder, Lifecycle, OptionsBuilder, Weighter, sync};

use super::{
    Terms,
    entry::Entry,
    invalidations::{Invalidation, Invalidations, News},
};
use crate::{
    Backoff, clock,
    logic::{Condition, Moment},
};

/// The entries of a [`Cache`](super::Cache), and the rules by which they come and go.
pub(super) struct Shelf<K, V> {
    entries: sync::Cache<K, Arc<Entry<V>>, ByWeight, DefaultHashBuilder, Leave>,
    weigh: Arc<Weigh<K, V>>,
    /// What an entry may weigh. A heavier one would drive out what it is to replace, and leave too.
    heaviest: u64,
    /// Taken by all that store, so that what is compared is still so when it is replaced.
    log: Mutex<Invalidations<K, V>>,
    /// The number of the last invalidation.
    last: AtomicU64,
}

/// What a copy weighs, in the unit of the capacity.
pub(super) type Weigh<K, V> = dyn Fn(&K, &V) -> u64 + Send + Sync;

/// The part of a shard that is for entries in use.
const HOT: f64 = 0.97;

/// What is remembered of the beginning of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fill {
    /// When the call began.
    pub(super) began: Moment,
    /// The last invalidation before it did.
    seen: u64,
}

impl<K, V> Shelf<K, V>
where
    K: Clone + Eq + Hash,
{
    pub(super) fn new(capacity: u64, items: usize, shards: usize, weigh: Arc<Weigh<K, V>>) -> Self {
        // Shards are made a power of two, and their capacities are rounded up to be the same.
        let shards = shards.next_power_of_two();
        let in_shard = capacity / shards as u64;
        let heaviest = ((in_shard as f64 * HOT) as u64).max(1);
        let options = OptionsBuilder::new()
            .weight_capacity(in_shard * shards as u64)
            .hot_allocation(HOT)
            .estimated_items_capacity(items)
            .shards(shards)
            .build()
            .expect("capacity and items are set");
        let hasher = DefaultHashBuilder::default();
        let entries = sync::Cache::with_options(options, ByWeight, hasher, Leave);
        Self {
            entries,
            weigh,
            heaviest,
            log: Mutex::new(Invalidations::new()),
            last: AtomicU64::new(0),
        }
    }

    /// What answers at this time, fresh or stale.
    #[inline]
    pub(super) fn find(&self, key: &K, now: Moment) -> Option<(Arc<Entry<V>>, Condition)> {
        let entry = self.entries.get(key)?;
        match entry.condition(now) {
            Condition::Past => {
                self.entries.remove_if(key, |held| Arc::ptr_eq(held, &entry));
                None
            }
            condition @ (Condition::Fresh | Condition::Stale) => Some((entry, condition)),
        }
    }

    /// Notes that a call begins.
    #[inline]
    pub(super) fn begin(&self, now: Moment) -> Fill {
        Fill { began: now, seen: self.last.load(Ordering::Acquire) }
    }

    /// Whether what is kept under this key comes from a call that began later, or from one that was
    /// shared by those who asked later.
    pub(super) fn has_since(&self, key: &K, fill: Fill) -> bool {
        self.entries.peek(key).is_some_and(|held| held.may_answer(fill.began))
    }

    /// Whether something was invalidated since that may be under this key.
    pub(super) fn is_doubtful(&self, fill: Fill, key: &K) -> bool {
        if self.last.load(Ordering::Acquire) == fill.seen {
            return false;
        }
        match self.log().since(fill.seen) {
            News::Nothing => false,
            News::Some { invalidations, .. } => invalidations.iter().any(|one| one.may_hit(key)),
            News::TooMuch => true,
        }
    }

    /// The entry that a copy makes now, of a call that one caller made or that many shared.
    pub(super) fn entry(
        &self,
        key: &K,
        stored: V,
        terms: Terms,
        fill: Fill,
        is_shared: bool,
    ) -> Arc<Entry<V>> {
        let weight = (self.weigh)(key, &stored).max(1);
        let now = clock::now();
        let freshness = terms.freshness(now, fastrand::f64());
        let answers_until = if is_shared { now } else { fill.began };
        Arc::new(Entry::new(stored, weight, terms, freshness, fill.began, answers_until, now))
    }

    /// Puts an entry in its place, if it may stand there.
    pub(super) fn put(&self, key: K, entry: &Arc<Entry<V>>, fill: Fill) {
        let now = clock::now();
        if !entry.is_usable(now) || entry.weight > self.heaviest {
            return;
        }
        let mut seen = fill.seen;
        // What leaves is dropped after the lock is released.
        let (mut left, mut replaced) = (Vec::new(), None);
        loop {
            let log = self.log();
            match log.since(seen) {
                News::Nothing => {
                    replaced = self.entries.peek(&key);
                    if replaced.as_ref().is_none_or(|held| gives_way(held, entry, now)) {
                        self.entries.insert_with_lifecycle(key, entry.clone(), &mut left);
                    }
                    break;
                }
                News::TooMuch => break,
                News::Some { last, invalidations } => {
                    drop(log);
                    if invalidations.iter().any(|one| one.hits(&key, entry)) {
                        break;
                    }
                    seen = last;
                }
            }
        }
        drop((left, replaced));
    }

    /// An attempt to renew what is under this key has failed, for a reason that nobody knows.
    pub(super) fn refresh_failed(&self, key: &K, backoff: &Backoff) {
        if let Some(entry) = self.entries.peek(key) {
            entry.refresh_failed(backoff, clock::now(), fastrand::f64());
        }
    }

    /// An attempt to renew what is under this key is over, and says nothing about the source.
    pub(super) fn refresh_ended(&self, key: &K) {
        if let Some(entry) = self.entries.peek(key) {
            entry.refresh_ended();
        }
    }

    /// Forgets what is under this key, unless a later call has brought it.
    pub(super) fn forget_before(&self, key: &K, fill: Fill) {
        drop(self.entries.remove_if(key, |held| held.began <= fill.began));
    }

    /// Forgets, and sees to it that no call that began before brings it back.
    pub(super) fn invalidate(&self, invalidation: Invalidation<K, V>) {
        let invalidation = Arc::new(invalidation);
        let mut log = self.log();
        let (number, oldest) = log.push(invalidation.clone());
        self.last.store(number, Ordering::Release);
        drop(log);
        drop(oldest);
        if let Invalidation::Key(key) = &*invalidation {
            self.entries.remove(key);
            return;
        }
        self.remove_where(|key, entry| invalidation.hits(key, entry));
    }

    /// Forgets what is past its end.
    pub(super) fn sweep(&self) {
        let now = clock::now();
        self.remove_where(|_, entry| !entry.is_usable(now));
    }

    /// Runs what may be a function of the user outside of the locks.
    fn remove_where(&self, hits: impl Fn(&K, &Entry<V>) -> bool) {
        for (key, entry) in self.entries.iter() {
            if hits(&key, &entry) {
                self.entries.remove_if(&key, |held| Arc::ptr_eq(held, &entry));
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn weight(&self) -> u64 {
        self.entries.weight()
    }

    pub(super) fn capacity(&self) -> u64 {
        self.entries.capacity()
    }

    /// Of the user's code only the hash and the equality of his keys run under the lock, and never
    /// while the list changes, so a poisoned one is sound.
    fn log(&self) -> MutexGuard<'_, Invalidations<K, V>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether `held` may be replaced: not by the answer of a call that began before its own, and not
/// by a negative one as long as it is a positive one that can be used.
fn gives_way<V>(held: &Entry<V>, new: &Entry<V>, now: Moment) -> bool {
    let is_better = new.negative && !held.negative && held.is_usable(now);
    held.began <= new.began && !is_better
}

#[derive(Clone)]
struct ByWeight;

impl<K, V> Weighter<K, Arc<Entry<V>>> for ByWeight {
    fn weight(&self, _: &K, entry: &Arc<Entry<V>>) -> u64 {
        entry.weight
    }
}

/// Collects what has to leave, to be dropped outside of the locks.
#[derive(Clone)]
struct Leave;

impl<K, V> Lifecycle<K, Arc<Entry<V>>> for Leave {
    type RequestState = Vec<(K, Arc<Entry<V>>)>;

    fn on_evict(&self, left: &mut Self::RequestState, key: K, entry: Arc<Entry<V>>) {
        left.push((key, entry));
    }
}
