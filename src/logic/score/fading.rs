use std::time::Duration;

use crate::logic::{
    Moment,
    sync::{AtomicU64, Ordering},
};

/// An average over time whose memory fades; lock-free.
///
/// A sample that comes `dt` after the one before weighs `1 - 2^(-dt / half_life)`, so what was true
/// a half-life ago counts half, however many samples came since. (The exponential moving average
/// for samples at irregular times, as in Unix load averages.) The first sample sets it.
///
/// One word holds the average (upper half, an `f32`) and the time of its last sample (lower half,
/// in ticks of 16 µs), so both change together. `Relaxed` is enough: the word is all there is.
#[derive(Debug)]
pub(crate) struct Fading {
    word: AtomicU64,
    /// In ticks.
    half_life: f64,
}

/// No average is NaN.
const EMPTY: u64 = u64::MAX;
const TICK: u64 = 16_000;
/// The ticks of a second: threads may read the clock in one order and come here in the other.
const OUT_OF_ORDER: u32 = 62_500;

impl Fading {
    pub(crate) fn new(half_life: Duration) -> Self {
        let half_life = half_life.as_secs_f64() * (1e9 / TICK as f64);
        Self { word: AtomicU64::new(EMPTY), half_life }
    }

    /// The average, once there was a sample.
    #[inline]
    pub(crate) fn get(&self) -> Option<f64> {
        let word = self.word.load(Ordering::Relaxed);
        (word != EMPTY).then(|| average(word))
    }

    /// Takes a sample; one that is not finite is left out.
    pub(crate) fn add(&self, sample: f64, now: Moment) {
        if !sample.is_finite() {
            return;
        }
        let tick = (now.as_nanos() / TICK) as u32;
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let new = self.after(word, sample, tick);
            match self.word.compare_exchange_weak(word, new, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(found) => word = found,
            }
        }
    }

    fn after(&self, word: u64, sample: f64, tick: u32) -> u64 {
        if word == EMPTY {
            return pack(sample, tick);
        }
        // Ticks go round every 19 hours; a pause of whole rounds looks shorter than it was.
        let ticks = tick.wrapping_sub(word as u32);
        if ticks == 0 || ticks > u32::MAX - OUT_OF_ORDER {
            return word;
        }
        let weight = 1.0 - (-f64::from(ticks) / self.half_life).exp2();
        let average = average(word);
        pack(average + weight * (sample - average), tick)
    }
}

fn average(word: u64) -> f64 {
    f64::from(f32::from_bits((word >> 32) as u32))
}

fn pack(average: f64, tick: u32) -> u64 {
    let average = average.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32;
    u64::from(average.to_bits()) << 32 | u64::from(tick)
}

#[cfg(all(test, tower_failover_loom))]
mod loom_tests;
#[cfg(all(test, not(tower_failover_loom)))]
mod tests;
