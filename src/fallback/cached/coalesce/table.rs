use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use quick_cache::sync;

use super::load::Load;
use crate::{fallback::cached::shelf::Shelf, logic::Moment};

/// The loads that are under way, by key.
pub(super) struct Table<K, V> {
    loads: Mutex<HashMap<K, Arc<Load<V>>>>,
    /// Keys whose answers are for one caller only, and until when nobody waits for another's.
    apart: sync::Cache<K, Moment>,
}

/// The place of a caller.
pub(super) enum Seat<V> {
    /// He makes the call.
    First(Arc<Load<V>>),
    /// Another one makes it.
    Next(Arc<Load<V>>),
}

/// A guess at how many keys there are whose answers are for one caller only; one that is forgotten
/// costs its callers one wait.
const APART: usize = 4_096;

impl<K, V> Table<K, V>
where
    K: Clone + Eq + Hash,
{
    pub(super) fn new() -> Self {
        Self { loads: Mutex::new(HashMap::new()), apart: sync::Cache::new(APART) }
    }

    /// A place in the load of this key: of the one under way, or a new one.
    ///
    /// Who [is covered](super::next::Next) does not mind that the body is slow.
    pub(super) fn sit(
        &self,
        key: &K,
        shelf: &Shelf<K, V>,
        now: Moment,
        within: Duration,
        is_covered: bool,
    ) -> Seat<V> {
        match self.loads().entry(key.clone()) {
            Entry::Occupied(held)
                if held.get().is_open(now)
                    && (is_covered || !held.get().is_late(now))
                    && !shelf.is_doubtful(held.get().fill, key) =>
            {
                Seat::Next(held.get().clone())
            }
            entry @ (Entry::Occupied(_) | Entry::Vacant(_)) => {
                let load = Arc::new(Load::new(shelf.begin(now), within));
                entry.insert_entry(load.clone());
                Seat::First(load)
            }
        }
    }

    pub(super) fn remove(&self, key: &K, load: &Arc<Load<V>>) {
        let mut loads = self.loads();
        let removed = match loads.get(key) {
            Some(held) if Arc::ptr_eq(held, load) => loads.remove_entry(key),
            Some(_) | None => None,
        };
        drop(loads);
        drop(removed);
    }

    /// Whether callers of this key do not wait for each other now.
    pub(super) fn is_apart(&self, key: &K, now: Moment) -> bool {
        self.apart.get(key).is_some_and(|until| now < until)
    }

    pub(super) fn keep_apart(&self, key: K, until: Moment) {
        self.apart.insert(key, until);
    }

    pub(super) fn len(&self) -> usize {
        self.loads().len()
    }

    /// Nothing of the user but the hash, the equality, the clone and the drop of his keys runs under
    /// the lock; of our own, the lock of a load or of the invalidations.
    fn loads(&self) -> MutexGuard<'_, HashMap<K, Arc<Load<V>>>> {
        self.loads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
