use std::{
    fmt,
    hash::Hash,
    sync::{Arc, Weak},
};

use super::{
    CacheBuilder, Deposit, Terms,
    invalidations::Invalidation,
    shelf::{Fill, Shelf},
    upkeep::Jobs,
};
use crate::{
    clock,
    event::{Name, Observers},
    fallback::{Served, Source},
    logic::Condition,
};

/// A bounded cache of answers; a cheap clone of one shared thing.
///
/// Made before the layers that use it, so it is the same one for all of them, also under
/// `axum::Router::layer`. `K` is what answers are told apart by, `V` what is kept of one.
///
/// ```
/// use tower_failover::fallback::cached::Cache;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let cache = Cache::<u64, String>::builder("users")
///     .max_bytes(16 << 20, |_, name| name.len())
///     .spawn();
/// assert!(cache.is_empty());
/// # }
/// ```
pub struct Cache<K, V>(Arc<Shared<K, V>>);

struct Shared<K, V> {
    name: Name,
    shelf: Shelf<K, V>,
    jobs: Jobs,
    observers: Observers,
}

impl<K, V> Cache<K, V> {
    /// Sets up a cache of this name.
    pub fn builder(name: impl Into<Name>) -> CacheBuilder<K, V> {
        CacheBuilder::new(name.into())
    }

    pub(super) fn new(name: Name, shelf: Shelf<K, V>, jobs: Jobs, observers: Observers) -> Self {
        Self(Arc::new(Shared { name, shelf, jobs, observers }))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name.as_str()
    }

    pub(super) fn shelf(&self) -> &Shelf<K, V> {
        &self.0.shelf
    }

    pub(super) fn jobs(&self) -> &Jobs {
        &self.0.jobs
    }

    pub(super) fn event_name(&self) -> &Name {
        &self.0.name
    }

    pub(super) fn observers(&self) -> &Observers {
        &self.0.observers
    }

    pub(super) fn downgrade(&self) -> WeakCache<K, V> {
        WeakCache(Arc::downgrade(&self.0))
    }
}

impl<K, V> Cache<K, V>
where
    K: Clone + Eq + Hash,
{
    /// What is kept under this key, and how old it is: fresh as [`Source::Cache`], or stale.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<Served<V>>
    where
        V: Clone,
    {
        let now = clock::now();
        let (entry, condition) = self.shelf().find(key, now)?;
        let age = entry.age(now);
        let source = match condition {
            Condition::Fresh => Source::Cache { age },
            Condition::Stale | Condition::Past => Source::Stale { age },
        };
        Some(Served::new(entry.stored.clone(), source))
    }

    /// Puts an answer there by hand.
    pub fn insert(&self, key: K, value: V, terms: Terms) {
        self.deposit(key, self.shelf().begin(clock::now())).store(value, terms);
    }

    /// Forgets what is under this key.
    ///
    /// A call that began before does not get its answer kept, so what is invalidated has to have
    /// changed at the backend already. The same holds for all ways to invalidate.
    ///
    /// A call during which more than 4,096 invalidations come does not get its answer kept either.
    pub fn invalidate(&self, key: &K) {
        self.shelf().invalidate(Invalidation::Key(key.clone()));
    }

    /// Forgets what has this [tag](Terms::tag). Looks at every entry.
    pub fn invalidate_tag(&self, tag: impl Into<Name>) {
        self.shelf().invalidate(Invalidation::Tag(tag.into()));
    }

    /// Forgets what this function is true of. Looks at every entry, outside of any lock.
    ///
    /// The function is kept until 4,096 more invalidations have come, to judge the answers of calls
    /// that are on their way: a clone of the cache in it keeps the cache alive. If it panics, so does
    /// this, and so do the calls whose answers it judges; those are not kept.
    pub fn invalidate_if(&self, hits: impl Fn(&K, &V) -> bool + Send + Sync + 'static) {
        self.shelf().invalidate(Invalidation::If(Arc::new(hits)));
    }

    /// Forgets everything.
    pub fn invalidate_all(&self) {
        self.shelf().invalidate(Invalidation::All);
    }

    /// Drops what is past its end now, not when [`Upkeep`](super::Upkeep) gets to it.
    pub fn sweep(&self) {
        self.shelf().sweep();
    }

    /// The number of entries, with those that are past their end and not swept yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shelf().len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the entries weigh together, in the unit of the [capacity](Self::capacity).
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.shelf().weight()
    }

    /// What the entries may weigh together: their number, or bytes.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.shelf().capacity()
    }

    /// The place for the answer of a call that began then.
    pub(super) fn deposit(&self, key: K, fill: Fill) -> Deposit<K, V> {
        Deposit::new(self.clone(), key, fill)
    }
}

impl<K, V> Clone for Cache<K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, V> fmt::Debug for Cache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("name", &self.0.name).finish_non_exhaustive()
    }
}

/// Does not keep the cache alive.
pub(super) struct WeakCache<K, V>(Weak<Shared<K, V>>);

impl<K, V> WeakCache<K, V> {
    pub(super) fn upgrade(&self) -> Option<Cache<K, V>> {
        self.0.upgrade().map(Cache)
    }
}
