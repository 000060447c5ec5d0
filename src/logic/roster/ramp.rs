use std::time::Duration;

use super::{MemberId, Recovery};
use crate::logic::Moment;

/// A recovery that is gradual.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ramp {
    pub(super) before: MemberId,
    begun: Moment,
    pub(super) until: Moment,
}

impl Ramp {
    pub(super) fn new(before: MemberId, now: Moment, gradual: Duration) -> Self {
        Self { before, begun: now, until: now + gradual }
    }

    /// The share of the calls that the one who came back gets.
    pub(super) fn share(&self, now: Moment, recovery: &Recovery) -> f64 {
        if now >= self.until {
            return 1.0;
        }
        let first = recovery.first_share.get();
        let past = (now - self.begun).as_secs_f64() / (self.until - self.begun).as_secs_f64();
        first + (1.0 - first) * past
    }
}
