use std::{
    fmt,
    hash::Hash,
    num::NonZeroUsize,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use super::{Builder, Circuit, roster::Roster};
use crate::clock;

/// Circuits by key (per host, per tenant): made on demand, bounded, forgotten when idle.
///
/// | setting | unit | default | allowed |
/// |---|---|---|---|
/// | [`capacity`](Self::capacity) | circuits | 10,000 | at least 1 |
/// | [`idle_for`](Self::idle_for) | time | 10 min | any |
///
/// A circuit is idle when nobody asked for it for that long, nobody holds a handle to it, and it is
/// neither forced nor within its open time. Idle circuits go when a new key comes. When it finds the
/// map full even so, others go too: those with the least to lose first (closed before half-open
/// before open before forced), among these those that nobody holds a handle to, among these those
/// unused longest. A cheap clone shares the same circuits and settings.
pub struct Circuits<K> {
    roster: Arc<RwLock<Roster<K>>>,
    make: Arc<dyn Fn(&K) -> Builder + Send + Sync>,
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
        let roster = Roster::new(DEFAULT_CAPACITY, DEFAULT_IDLE_FOR);
        Self { roster: Arc::new(RwLock::new(roster)), make: Arc::new(make) }
    }

    /// Keeps at most this many circuits.
    #[must_use]
    pub fn capacity(self, capacity: NonZeroUsize) -> Self {
        self.write().capacity = capacity;
        self
    }

    /// Forgets circuits that nobody asked for this long.
    #[must_use]
    pub fn idle_for(self, idle_for: Duration) -> Self {
        self.write().idle_for = idle_for;
        self
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

    fn read(&self) -> RwLockReadGuard<'_, Roster<K>> {
        self.roster.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Roster<K>> {
        self.roster.write().unwrap_or_else(PoisonError::into_inner)
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
        if let Some(circuit) = self.read().find(key, now) {
            return circuit;
        }
        let made = (self.make)(key).build();
        // Observers go with their circuit, be it forgotten or made in vain: not under the lock.
        let (circuit, _dropped_unlocked) = {
            let mut roster = self.write();
            match roster.find(key, now) {
                Some(circuit) => (circuit, vec![made]),
                None => (made.clone(), roster.insert(key.clone(), made, now)),
            }
        };
        circuit
    }

    /// The circuit of this key, if there is one.
    #[must_use]
    pub fn peek(&self, key: &K) -> Option<Circuit> {
        self.read().peek(key)
    }

    /// Forgets the circuit of this key. Handles to it stay good.
    pub fn remove(&self, key: &K) -> Option<Circuit> {
        self.write().remove(key)
    }

    /// Forgets what is idle now, without waiting for a new key.
    pub fn sweep(&self) {
        let now = clock::now();
        let _dropped_unlocked = self.write().sweep(now);
    }

    /// Every key and its circuit, in no order.
    #[must_use]
    pub fn all(&self) -> Vec<(K, Circuit)> {
        self.read().iter().map(|(key, circuit)| (key.clone(), circuit.clone())).collect()
    }
}

impl<K> Clone for Circuits<K> {
    fn clone(&self) -> Self {
        Self { roster: self.roster.clone(), make: self.make.clone() }
    }
}

impl<K> fmt::Debug for Circuits<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let roster = self.read();
        f.debug_struct("Circuits")
            .field("len", &roster.len())
            .field("capacity", &roster.capacity)
            .field("idle_for", &roster.idle_for)
            .finish_non_exhaustive()
    }
}
