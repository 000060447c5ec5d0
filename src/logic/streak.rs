use super::sync::{AtomicU64, Ordering};

/// Failures in a row, lock-free.
///
/// One word holds the period (upper half) and the count (lower half), so a result of an earlier
/// period finds another period there and changes nothing. `Relaxed` is enough: the word is all
/// there is, and who admitted the call has acquired the period that was started here.
#[derive(Debug)]
pub(crate) struct Streak(AtomicU64);

const COUNT: u64 = u32::MAX as u64;

impl Streak {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Starts anew in `period`.
    pub(crate) fn start(&self, period: u64) {
        // A swap, as a store between the others' swaps is more than loom understands.
        self.0.swap(period << 32, Ordering::Relaxed);
    }

    /// Carries the row over into `period`.
    pub(crate) fn carry(&self, period: u64) {
        let row = u64::from(self.count());
        self.0.swap(period << 32 | row, Ordering::Relaxed);
    }

    /// Ends the row. Writes nothing when there is none, so that threads do not share a cache line.
    #[inline]
    pub(crate) fn success(&self, period: u64) {
        let word = self.0.load(Ordering::Relaxed);
        if word & COUNT != 0 {
            self.update(period, word, |_| 0);
        }
    }

    /// Adds to the row and returns its length, or `None` in another period.
    pub(crate) fn failure(&self, period: u64) -> Option<u32> {
        let word = self.0.load(Ordering::Relaxed);
        self.update(period, word, |count| count.saturating_add(1))
    }

    /// The length of the row.
    #[inline]
    pub(crate) fn count(&self) -> u32 {
        (self.0.load(Ordering::Relaxed) & COUNT) as u32
    }

    /// A row of this length already.
    #[cfg(test)]
    pub(super) fn at(period: u64, count: u32) -> Self {
        Self(AtomicU64::new(period << 32 | u64::from(count)))
    }

    fn update(&self, period: u64, mut word: u64, next: impl Fn(u32) -> u32) -> Option<u32> {
        let period = period << 32;
        loop {
            if word & !COUNT != period {
                return None;
            }
            let count = next((word & COUNT) as u32);
            let new = period | u64::from(count);
            match self.0.compare_exchange_weak(word, new, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(count),
                Err(found) => word = found,
            }
        }
    }
}

#[cfg(all(test, tower_failover_loom))]
mod loom_tests;
#[cfg(all(test, not(tower_failover_loom)))]
mod tests;
