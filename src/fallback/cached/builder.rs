use std::{fmt, hash::Hash, mem, sync::Arc, time::Duration};

use super::{
    Cache, Upkeep,
    entry::Entry,
    shelf::{Shelf, Weigh},
    upkeep::jobs,
};
use crate::event::{Name, Observer, Observers};

/// Sets up a [`Cache`].
///
/// | setting | default |
/// |---|---|
/// | [`max_entries`](Self::max_entries) | 10,000 |
/// | [`max_bytes`](Self::max_bytes) | not set |
/// | [`sweep_every`](Self::sweep_every) | 30 s |
/// | [`background_loads`](Self::background_loads) | 64 |
/// | [`observe`](Self::observe) | nobody |
#[must_use]
pub struct CacheBuilder<K, V> {
    name: Name,
    capacity: u64,
    items: usize,
    shards: usize,
    weigh: Arc<Weigh<K, V>>,
    sweep_every: Duration,
    background_loads: usize,
    observers: Observers,
}

/// A guess: what an entry costs in the index of the cache.
const INDEX: usize = 64;
/// A guess: what an answer weighs, to size the index before anything is known.
const USUAL_BYTES: u64 = 4 << 10;
/// The cache is cut into shards, and an answer heavier than its shard is not kept.
const LEAST_SHARD_BYTES: u64 = 4 << 20;

impl<K, V> CacheBuilder<K, V> {
    pub(super) fn new(name: Name) -> Self {
        Self {
            name,
            capacity: 0,
            items: 0,
            shards: 0,
            weigh: Arc::new(|_, _| 1),
            sweep_every: Duration::from_secs(30),
            background_loads: 64,
            observers: Observers::default(),
        }
        .max_entries(10_000)
    }

    /// Keeps at most this many entries.
    ///
    /// # Panics
    ///
    /// If it is zero.
    pub fn max_entries(self, entries: usize) -> Self {
        assert!(entries > 0, "a cache has room for at least one entry");
        let capacity = entries as u64;
        let shards = (entries / 64).clamp(1, MOST_SHARDS);
        Self { capacity, items: entries, shards, weigh: Arc::new(|_, _| 1), ..self }
    }

    /// Keeps entries that weigh at most this many bytes together.
    ///
    /// `weigh` tells the bytes that a key and a copy have on the heap. What they are made of, and
    /// what the cache itself needs, is added. Asked once for each copy.
    ///
    /// # Panics
    ///
    /// If it is zero.
    pub fn max_bytes(
        self,
        bytes: u64,
        weigh: impl Fn(&K, &V) -> usize + Send + Sync + 'static,
    ) -> Self {
        assert!(bytes > 0, "a cache has room for at least one byte");
        let own = mem::size_of::<Entry<V>>() + 2 * mem::size_of::<K>() + INDEX;
        let weigh =
            Arc::new(move |key: &K, value: &V| weigh(key, value).saturating_add(own) as u64);
        let items = usize::try_from(bytes / USUAL_BYTES).unwrap_or(usize::MAX).clamp(64, 1 << 20);
        let shards = usize::try_from(bytes / LEAST_SHARD_BYTES).unwrap_or(usize::MAX);
        Self { capacity: bytes, items, shards: shards.clamp(1, MOST_SHARDS), weigh, ..self }
    }

    /// How often what is past its end is dropped.
    ///
    /// # Panics
    ///
    /// If it is zero.
    pub fn sweep_every(self, interval: Duration) -> Self {
        assert!(!interval.is_zero(), "a cache is swept at intervals above zero");
        Self { sweep_every: interval, ..self }
    }

    /// How many loads may go on after their last caller has left. Further ones are dropped.
    pub fn background_loads(self, most: usize) -> Self {
        Self { background_loads: most, ..self }
    }

    /// Tells this observer when an answer could not be [renewed](crate::event::Event::RefreshFailed).
    pub fn observe(mut self, observer: impl Observer + 'static) -> Self {
        self.observers.push(observer);
        self
    }

    /// The cache, and the future that sweeps it and finishes loads whose callers have left.
    ///
    /// The future ends when the last clone of the cache is dropped. Without it the cache works and
    /// is bounded, but nothing is loaded in the background.
    pub fn build(self) -> (Cache<K, V>, Upkeep)
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
        V: Send + Sync + 'static,
    {
        let shelf = Shelf::new(self.capacity, self.items, self.shards, self.weigh);
        let (jobs, orders) = jobs(self.background_loads);
        let cache = Cache::new(self.name, shelf, jobs, self.observers);
        let swept = cache.downgrade();
        let sweep = move || swept.upgrade().map(|cache| cache.sweep());
        (cache, Upkeep::new(orders, self.sweep_every, sweep))
    }

    /// The cache, whose upkeep runs on a task of its own.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one that is named so")]
    pub fn spawn(self) -> Cache<K, V>
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
        V: Send + Sync + 'static,
    {
        let (cache, upkeep) = self.build();
        tokio::spawn(upkeep);
        cache
    }
}

const MOST_SHARDS: usize = 64;

impl<K, V> fmt::Debug for CacheBuilder<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheBuilder")
            .field("name", &self.name)
            .field("capacity", &self.capacity)
            .field("sweep_every", &self.sweep_every)
            .field("background_loads", &self.background_loads)
            .field("observers", &self.observers)
            .finish_non_exhaustive()
    }
}
