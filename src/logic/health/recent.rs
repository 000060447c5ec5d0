use crate::logic::Ratio;

/// How many checks the success rate is taken over.
const CHECKS: u32 = 20;
/// From how many on it says something.
const LEAST: u32 = 10;

/// How the last checks ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Recent {
    /// One bit a check, the newest lowest: set if it was good.
    bits: u32,
    seen: u32,
}

impl Recent {
    pub(super) const fn new() -> Self {
        Self { bits: 0, seen: 0 }
    }

    pub(super) fn note(&mut self, good: bool) {
        self.bits = (self.bits << 1 | u32::from(good)) & ((1 << CHECKS) - 1);
        self.seen = (self.seen + 1).min(CHECKS);
    }

    /// The share of good ones, once there are enough to say.
    pub(super) fn rate(&self) -> Option<Ratio> {
        let millionths = self.bits.count_ones() * 1_000_000 / self.seen.max(1);
        (self.seen >= LEAST).then(|| Ratio::from_millionths(millionths))
    }
}
