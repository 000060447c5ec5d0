use std::time::Duration;

use super::{Moment, Refusal};

/// Admits a growing share of calls: each adds the share to a credit, and a whole one passes.
#[derive(Debug)]
pub(super) struct Ramp {
    since: Moment,
    pub(super) until: Moment,
    credit: f64,
}

impl Ramp {
    /// The share that passes at once, so that a quiet service is not shut out for long.
    const FLOOR: f64 = 0.1;

    pub(super) fn new(now: Moment, ramp_for: Duration) -> Self {
        Self { since: now, until: now + ramp_for, credit: 1.0 }
    }

    pub(super) fn refusal(&mut self, now: Moment) -> Option<Refusal> {
        let share = (now - self.since).as_secs_f64() / (self.until - self.since).as_secs_f64();
        self.credit += share.max(Self::FLOOR);
        if self.credit >= 1.0 {
            self.credit -= 1.0;
            return None;
        }
        Some(Refusal { until: self.until })
    }
}
