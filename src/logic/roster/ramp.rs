use std::time::Duration;

use super::{MemberId, Recovery, Roster, Rules, member::Place};
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

impl Roster {
    /// Who served before a recovery that is gradual and not over.
    pub(crate) fn before(&self) -> Option<MemberId> {
        let before = self.ramp.map(|ramp| ramp.before)?;
        self.member(before).filter(|it| matches!(it.place, Place::Up(_))).map(|it| it.id)
    }

    /// The share of the calls that is for who serves; the rest is for [`before`](Self::before).
    pub(crate) fn share(&self, now: Moment, rules: &Rules) -> f64 {
        match self.ramp.filter(|_| self.before().is_some()) {
            Some(ramp) => ramp.share(now, &rules.recovery),
            None => 1.0,
        }
    }
}
