use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    num::NonZeroUsize,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{Builder, Circuit, circuit::Stake};
use crate::{clock, logic::Moment};

/// Circuits by key (per host, per tenant): made on demand, bounded, forgotten when idle.
///
/// | setting | unit | default | allowed |
/// |---|---|---|---|
/// | [`capacity`](Self::capacity) | circuits | 10,000 | at least 1 |
/// | [`idle_for`](Self::idle_for) | time | 10 min | any |
///
/// A circuit is idle when nobody asked for it for that long, nobody holds a handle to it, and it is
/// neither forced nor within its open time. When a new key finds the map full, idle circuits go, and
/// if there are none, the one with the least to lose (closed before half-open before open before
/// forced), among these one that nobody holds a handle to, among these the one that was unused
/// longest. A cheap clone shares the same circuits.
pub struct Circuits<K> {
    map: Arc<RwLock<HashMap<K, Entry>>>,
    make: Arc<dyn Fn(&K) -> Builder + Send + Sync>,
    capacity: NonZeroUsize,
    idle_for: Duration,
}

struct Entry {
    circuit: Circuit,
    used: AtomicU64,
}

const DEFAULT_CAPACITY: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");
const DEFAULT_IDLE_FOR: Duration = Duration::from_secs(600);

impl<K> Circuits<K> {
    /// Makes the circuit of a new key by this function.
    ///
    /// # Panics
    ///
    /// [`get`](Self::get) panics if a policy that the function sets is out of range.
    #[must_use]
    pub fn new(make: impl Fn(&K) -> Builder + Send + Sync + 'static) -> Self {
        Self {
            map: Arc::default(),
            make: Arc::new(make),
            capacity: DEFAULT_CAPACITY,
            idle_for: DEFAULT_IDLE_FOR,
        }
    }

    /// Keeps at most this many circuits.
    #[must_use]
    pub fn capacity(self, capacity: NonZeroUsize) -> Self {
        Self { capacity, ..self }
    }

    /// Forgets circuits that nobody asked for this long, once room is needed.
    #[must_use]
    pub fn idle_for(self, idle_for: Duration) -> Self {
        Self { idle_for, ..self }
    }

    /// How many circuits there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<K, Entry>> {
        self.map.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<K, Entry>> {
        self.map.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K> Circuits<K>
where
    K: Clone + Eq + Hash,
{
    /// The circuit of this key, made if there is none.
    ///
    /// # Panics
    ///
    /// If the policy of a new circuit is out of range.
    #[must_use]
    pub fn get(&self, key: &K) -> Circuit {
        let now = clock::coarse();
        if let Some(entry) = self.read().get(key) {
            return entry.use_at(now);
        }
        let circuit = (self.make)(key).build();
        let mut map = self.write();
        let forgotten =
            if map.contains_key(key) { Vec::new() } else { self.make_room(&mut map, now) };
        let entry = map
            .entry(key.clone())
            .or_insert_with(|| Entry { circuit, used: AtomicU64::new(now.as_nanos()) });
        let circuit = entry.use_at(now);
        drop(map);
        // Observers are dropped with their circuit: not under the lock.
        drop(forgotten);
        circuit
    }

    /// The circuit of this key, if there is one.
    #[must_use]
    pub fn peek(&self, key: &K) -> Option<Circuit> {
        self.read().get(key).map(|entry| entry.circuit.clone())
    }

    /// Forgets the circuit of this key. Handles to it stay good.
    pub fn remove(&self, key: &K) -> Option<Circuit> {
        self.write().remove(key).map(|entry| entry.circuit)
    }

    /// Forgets what is idle now, without waiting until room is needed.
    pub fn sweep(&self) {
        let now = clock::now();
        let forgotten = self.take_idle(&mut self.write(), now);
        drop(forgotten);
    }

    /// Every key and its circuit, in no order.
    #[must_use]
    pub fn all(&self) -> Vec<(K, Circuit)> {
        self.read().iter().map(|(key, entry)| (key.clone(), entry.circuit.clone())).collect()
    }

    fn make_room(&self, map: &mut HashMap<K, Entry>, now: Moment) -> Vec<Entry> {
        if map.len() < self.capacity.get() {
            return Vec::new();
        }
        let mut forgotten = self.take_idle(map, now);
        while map.len() >= self.capacity.get() {
            let oldest = map
                .iter()
                .min_by_key(|(_, entry)| {
                    (entry.circuit.stake(now), entry.circuit.is_shared(), entry.used())
                })
                .map(|(key, _)| key.clone());
            match oldest {
                Some(key) => forgotten.extend(map.remove(&key)),
                None => break,
            }
        }
        forgotten
    }

    fn take_idle(&self, map: &mut HashMap<K, Entry>, now: Moment) -> Vec<Entry> {
        let idle = |entry: &Entry| {
            now - entry.used() >= self.idle_for
                && !entry.circuit.is_shared()
                && entry.circuit.stake(now) <= Stake::Probing
        };
        let keys: Vec<K> =
            map.iter().filter(|(_, entry)| idle(entry)).map(|(key, _)| key.clone()).collect();
        keys.iter().filter_map(|key| map.remove(key)).collect()
    }
}

impl Entry {
    fn used(&self) -> Moment {
        Moment::from_nanos(self.used.load(Ordering::Relaxed))
    }

    fn use_at(&self, now: Moment) -> Circuit {
        self.used.fetch_max(now.as_nanos(), Ordering::Relaxed);
        self.circuit.clone()
    }
}

impl<K> Clone for Circuits<K> {
    fn clone(&self) -> Self {
        let Self { map, make, capacity, idle_for } = self;
        Self { map: map.clone(), make: make.clone(), capacity: *capacity, idle_for: *idle_for }
    }
}

impl<K> fmt::Debug for Circuits<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Circuits")
            .field("len", &self.len())
            .field("capacity", &self.capacity)
            .field("idle_for", &self.idle_for)
            .finish_non_exhaustive()
    }
}
