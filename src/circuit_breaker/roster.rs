use std::{
    collections::HashMap,
    hash::Hash,
    num::NonZeroUsize,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::{Circuit, circuit::Stake};
use crate::logic::Moment;

/// The circuits of a [`Circuits`](super::Circuits), and which of them to forget.
///
/// What is forgotten is handed back, to be dropped outside of the lock: observers go with their
/// circuit.
pub(super) struct Roster<K> {
    entries: HashMap<K, Entry>,
    pub(super) capacity: NonZeroUsize,
    pub(super) idle_for: Duration,
    swept_at: Moment,
}

struct Entry {
    circuit: Circuit,
    used: AtomicU64,
}

/// One scan of a full roster makes room for this share of it, so that a flood of new keys does not
/// scan it each time.
const BATCH: usize = 16;

impl<K> Roster<K> {
    pub(super) fn new(capacity: NonZeroUsize, idle_for: Duration) -> Self {
        Self { entries: HashMap::new(), capacity, idle_for, swept_at: Moment::ORIGIN }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &Circuit)> {
        self.entries.iter().map(|(key, entry)| (key, &entry.circuit))
    }
}

impl<K> Roster<K>
where
    K: Clone + Eq + Hash,
{
    /// The circuit of a key, without using it.
    pub(super) fn peek(&self, key: &K) -> Option<Circuit> {
        self.entries.get(key).map(|entry| entry.circuit.clone())
    }

    /// The circuit of a key, for use.
    pub(super) fn find(&self, key: &K, now: Moment) -> Option<Circuit> {
        let entry = self.entries.get(key)?;
        entry.used.fetch_max(now.as_nanos(), Ordering::Relaxed);
        Some(entry.circuit.clone())
    }

    /// Takes up the circuit of a new key, and hands back those that make room for it.
    pub(super) fn insert(&mut self, key: K, circuit: Circuit, now: Moment) -> Vec<Circuit> {
        let is_full = self.entries.len() >= self.capacity.get();
        let mut forgotten = match is_full || now - self.swept_at >= self.idle_for {
            true => self.sweep(now),
            false => Vec::new(),
        };
        if self.entries.len() >= self.capacity.get() {
            forgotten.extend(self.make_room(now));
        }
        let used = AtomicU64::new(now.as_nanos());
        self.entries.insert(key, Entry { circuit, used });
        forgotten
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<Circuit> {
        self.entries.remove(key).map(|entry| entry.circuit)
    }

    /// Hands back what is idle.
    pub(super) fn sweep(&mut self, now: Moment) -> Vec<Circuit> {
        self.swept_at = now;
        let idle_for = self.idle_for;
        let idle = |_: &K, entry: &mut Entry| {
            let (stake, is_shared) = entry.cost(now);
            now - entry.used() >= idle_for && stake <= Stake::Probing && !is_shared
        };
        self.entries.extract_if(idle).map(|(_, entry)| entry.circuit).collect()
    }

    /// Hands back as many as are too many, and of those that cost the least to lose a batch, the
    /// longest unused first.
    fn make_room(&mut self, now: Moment) -> Vec<Circuit> {
        let needed = self.entries.len() + 1 - self.capacity.get();
        let batch = needed.max(self.capacity.get() / BATCH);
        let mut ranked: Vec<_> = self
            .entries
            .iter()
            .map(|(key, entry)| ((entry.cost(now), entry.used()), key.clone()))
            .collect();
        if batch < ranked.len() {
            ranked.select_nth_unstable_by_key(batch, |(rank, _)| *rank);
            ranked.truncate(batch);
        }
        ranked.sort_unstable_by_key(|(rank, _)| *rank);
        let cheap = ranked.iter().take_while(|((cost, _), _)| *cost == (Stake::Nothing, false));
        ranked.truncate(needed.max(cheap.count()));
        ranked.iter().filter_map(|(_, key)| self.remove(key)).collect()
    }
}

impl Entry {
    fn used(&self) -> Moment {
        Moment::from_nanos(self.used.load(Ordering::Relaxed))
    }

    /// What is lost with it: what it knows, then whether somebody holds a handle to it.
    fn cost(&self, now: Moment) -> (Stake, bool) {
        (self.circuit.stake(now), self.circuit.is_shared())
    }
}
