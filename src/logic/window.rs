use super::{
    Moment, nanos,
    policy::Window,
    sync::{AtomicU64, Ordering},
};

/// The most calls a window of calls holds.
pub(crate) const CAPACITY: u32 = 1_024;

const SLICES: u64 = if cfg!(tower_failover_loom) { 2 } else { 10 };
const CALLS_IN_WORD: u64 = 32;
const WORDS: usize =
    if cfg!(tower_failover_loom) { 2 } else { (CAPACITY as u64 / CALLS_IN_WORD) as usize };

/// Counts calls, and those among them that count against the backend, over the last N calls or
/// the last T seconds; lock-free and of a fixed size.
///
/// A window belongs to one period of its circuit at a time. Every word carries a part of the
/// period's number and is only ever changed by compare-and-swap, so a result of an earlier period
/// changes nothing, however late it comes. `Relaxed` is enough: words are independent of each
/// other, and who admitted the call has acquired the period that [`start`](Self::start) prepared.
///
/// *Last T seconds*: ten slices in a ring. A word holds a slice: the part of the period (8 bits),
/// its lap around the ring (16), and the two counts (20 each; at the brim both are halved). Whoever
/// finds a slice of an earlier lap begins it anew; whose clock is a lap behind does not count. A slice
/// would be taken for another lap's only if it saw no call for exactly a multiple of 65,536 laps, or
/// one less; and who is more than a lap behind makes it forget the calls of a slice.
///
/// *Last N calls*: a ring of bits. `head` counts calls; each call claims the next place there, then
/// writes its bit. A word holds 32 places beside 32 bits of the period. A writer that falls a whole
/// lap behind others may leave its older bit in a place.
///
/// Aligned to cache lines, because what lies beside it is read by every call and seldom written.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct SlidingWindow {
    /// The length of a slice in nanoseconds, or 0 in a window of calls.
    slice: AtomicU64,
    /// The number of calls, or 0 in a window of time.
    calls: AtomicU64,
    /// In a window of calls: 16 bits of the period and 48 of the number of calls.
    head: AtomicU64,
    /// In a window of time: the latest slice, which saves a division. Not in `head`, because a late
    /// call writes it in whatever period.
    hint: AtomicU64,
    words: [AtomicU64; WORDS],
}

/// What a window holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) bad: u64,
    pub(crate) total: u64,
}

impl SlidingWindow {
    pub(crate) fn new() -> Self {
        Self {
            slice: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            head: AtomicU64::new(0),
            hint: AtomicU64::new(0),
            words: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Starts anew in `period`, over `window`. The caller then publishes the period.
    pub(crate) fn start(&self, period: u64, window: Window) {
        let (slice, calls) = match window {
            Window::Time(time) => ((nanos(time) / SLICES).max(1), 0),
            Window::Calls(calls) => (0, u64::from(calls)),
        };
        self.slice.store(slice, Ordering::Relaxed);
        self.calls.store(calls, Ordering::Relaxed);
        self.head.swap(Head::start(period), Ordering::Relaxed);
        let empty = if calls > 0 { Bits::start(period) } else { Slice::empty(period) };
        // Swaps, as stores between the others' swaps are more than loom understands.
        for word in &self.words {
            word.swap(empty, Ordering::Relaxed);
        }
    }

    /// Counts a call of `period` that ended at `now`.
    #[inline]
    pub(crate) fn record(&self, period: u64, bad: bool, now: impl FnOnce() -> Moment) {
        match self.calls.load(Ordering::Relaxed) {
            0 => self.record_slice(period, bad, now()),
            calls => self.record_call(period, bad, calls),
        }
    }

    /// What the window holds at `now`, in `period`.
    pub(crate) fn tally(&self, period: u64, now: impl FnOnce() -> Moment) -> Tally {
        match self.calls.load(Ordering::Relaxed) {
            0 => self.tally_slices(period, now()),
            calls => self.tally_calls(period, calls),
        }
    }

    #[inline]
    fn record_slice(&self, period: u64, bad: bool, now: Moment) {
        let tick = self.tick(now);
        let fresh = Slice::empty(period) | Slice::lap(tick);
        let word = &self.words[(tick % SLICES) as usize];
        let mut found = word.load(Ordering::Relaxed);
        loop {
            let current = if found & Slice::TAGS == fresh {
                found
            } else if found & Slice::PERIOD != fresh & Slice::PERIOD || Slice::is_next(found, fresh)
            {
                return;
            } else {
                fresh
            };
            let counted = Slice::count(current, bad);
            match word.compare_exchange_weak(found, counted, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(other) => found = other,
            }
        }
    }

    fn tally_slices(&self, period: u64, now: Moment) -> Tally {
        let latest = self.tick(now);
        let first = latest.saturating_sub(SLICES - 1);
        (first..=latest).fold(Tally::default(), |sum, tick| {
            let word = self.words[(tick % SLICES) as usize].load(Ordering::Relaxed);
            if word & Slice::TAGS == Slice::empty(period) | Slice::lap(tick) {
                Tally { bad: sum.bad + Slice::bad(word), total: sum.total + Slice::total(word) }
            } else {
                sum
            }
        })
    }

    /// The number of the slice that `now` lies in.
    #[inline]
    fn tick(&self, now: Moment) -> u64 {
        let slice = self.slice.load(Ordering::Relaxed).max(1);
        let hint = self.hint.load(Ordering::Relaxed);
        if now.as_nanos().wrapping_sub(hint.wrapping_mul(slice)) < slice {
            return hint;
        }
        let tick = now.as_nanos() / slice;
        self.hint.store(tick, Ordering::Relaxed);
        tick
    }

    #[inline(never)]
    fn record_call(&self, period: u64, bad: bool, calls: u64) {
        let mut head = self.head.load(Ordering::Relaxed);
        let place = loop {
            if head & Head::PERIOD != Head::start(period) {
                return;
            }
            let next = Head::start(period) | ((head + 1) & Head::COUNT);
            match self.head.compare_exchange_weak(head, next, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => break (head & Head::COUNT) % calls,
                Err(found) => head = found,
            }
        };
        let bit = 1 << (place % CALLS_IN_WORD);
        let word = &self.words[(place / CALLS_IN_WORD) as usize];
        let mut found = word.load(Ordering::Relaxed);
        while found & Bits::PERIOD == Bits::start(period) && (found & bit != 0) != bad {
            match word.compare_exchange_weak(
                found,
                found ^ bit,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(other) => found = other,
            }
        }
    }

    fn tally_calls(&self, period: u64, calls: u64) -> Tally {
        let head = self.head.load(Ordering::Relaxed);
        if head & Head::PERIOD != Head::start(period) {
            return Tally::default();
        }
        let used = calls.div_ceil(CALLS_IN_WORD) as usize;
        let bad = self.words[..used]
            .iter()
            .map(|word| word.load(Ordering::Relaxed))
            .filter(|word| word & Bits::PERIOD == Bits::start(period))
            .map(|word| u64::from((word & Bits::PLACES).count_ones()))
            .sum();
        Tally { bad, total: (head & Head::COUNT).min(calls) }
    }
}

/// A word of a window of time: period 8, lap 16, bad 20, total 20.
struct Slice;

impl Slice {
    const COUNT: u64 = (1 << 20) - 1;
    const PERIOD: u64 = 0xff << 56;
    const LAP: u64 = 0xffff << 40;
    const TAGS: u64 = Self::PERIOD | Self::LAP;

    const fn empty(period: u64) -> u64 {
        period << 56
    }

    const fn lap(tick: u64) -> u64 {
        (tick / SLICES) << 40 & Self::LAP
    }

    /// Whether `found` is one lap ahead of `mine`: the caller's clock is behind.
    const fn is_next(found: u64, mine: u64) -> bool {
        Self::total(found) > 0
            && (found & Self::LAP).wrapping_sub(mine & Self::LAP) & Self::LAP == 1 << 40
    }

    const fn bad(word: u64) -> u64 {
        word >> 20 & Self::COUNT
    }

    const fn total(word: u64) -> u64 {
        word & Self::COUNT
    }

    #[cold]
    const fn halve(word: u64) -> u64 {
        let (bad, total) = (Self::bad(word) / 2, Self::total(word) / 2);
        word & Self::TAGS | bad << 20 | total
    }

    const fn count(word: u64, bad: bool) -> u64 {
        let full = Self::total(word) == Self::COUNT;
        let room = if full { Self::halve(word) } else { word };
        room + ((bad as u64) << 20 | 1)
    }
}

/// The head of a window of calls: period 16, calls 48.
struct Head;

impl Head {
    const COUNT: u64 = (1 << 48) - 1;
    const PERIOD: u64 = !Self::COUNT;

    const fn start(period: u64) -> u64 {
        period << 48
    }
}

/// A word of a window of calls: period 32, places 32. The low 8 bits of the period come first, where
/// a slice has them: so a late call of a window of time that has become one of calls finds another.
struct Bits;

impl Bits {
    const PLACES: u64 = (1 << CALLS_IN_WORD) - 1;
    const PERIOD: u64 = !Self::PLACES;

    const fn start(period: u64) -> u64 {
        ((period as u32).rotate_right(8) as u64) << CALLS_IN_WORD
    }
}

#[cfg(all(test, tower_failover_loom))]
mod loom_tests;
#[cfg(all(test, not(tower_failover_loom)))]
mod tests;
