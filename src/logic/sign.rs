use super::{
    Moment,
    breaker::Face,
    sync::{AtomicU64, Ordering},
};

/// What a circuit shows to its callers: one atomic word with the period and the kind of its face.
///
/// Written by who holds the circuit's lock, read by everybody. The store of the word is `Release`
/// and its load `Acquire`: who sees a period sees the counters that were prepared for it, and a
/// moment at least as new as the one that was published with it. The moment may be that of a later
/// face: then the caller is refused by a face that hung out a while ago, or sent to ask.
#[derive(Debug)]
pub(crate) struct Sign {
    word: AtomicU64,
    until: AtomicU64,
}

const KIND_BITS: u32 = 2;
const KIND: u64 = (1 << KIND_BITS) - 1;
const CLOSED: u64 = 0;
const FREE: u64 = 1;
const SHUT: u64 = 2;
const ASK: u64 = 3;

impl Sign {
    pub(crate) fn new() -> Self {
        Self { word: AtomicU64::new(ASK), until: AtomicU64::new(0) }
    }

    pub(crate) fn publish(&self, period: u64, face: Face) {
        let kind = match face {
            Face::Closed => CLOSED,
            Face::Free => FREE,
            Face::Ask => ASK,
            Face::Shut(until) => {
                self.until.store(until.as_nanos(), Ordering::Relaxed);
                SHUT
            }
        };
        self.word.store(period << KIND_BITS | kind, Ordering::Release);
    }

    #[inline]
    pub(crate) fn period(&self) -> u64 {
        self.word.load(Ordering::Acquire) >> KIND_BITS
    }

    /// The period, if the circuit is closed.
    #[inline]
    pub(crate) fn closed(&self) -> Option<u64> {
        let word = self.word.load(Ordering::Acquire);
        (word & KIND == CLOSED).then_some(word >> KIND_BITS)
    }

    /// Whether the face is [`Face::Shut`].
    #[inline]
    pub(crate) fn is_shut(&self) -> bool {
        self.word.load(Ordering::Acquire) & KIND == SHUT
    }

    #[inline]
    pub(crate) fn read(&self) -> (u64, Face) {
        let word = self.word.load(Ordering::Acquire);
        let face = match word & KIND {
            CLOSED => Face::Closed,
            FREE => Face::Free,
            SHUT => Face::Shut(Moment::from_nanos(self.until.load(Ordering::Relaxed))),
            _ => Face::Ask,
        };
        (word >> KIND_BITS, face)
    }
}

#[cfg(all(test, tower_failover_loom))]
mod loom_tests;
#[cfg(all(test, not(tower_failover_loom)))]
mod tests;
