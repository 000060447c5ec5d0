use std::time::Duration;

use super::{Recovery, Trigger};
use crate::logic::Moment;

/// What is known of a member while it is not up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Absence {
    pub(super) trigger: Trigger,
    pub(super) since: Moment,
    /// The first sign of what made it leave.
    pub(super) sign: Moment,
    /// Good checks in a row.
    pub(super) good: u32,
    /// Bad checks in a row.
    bad: u32,
    /// The last check was answered, and showed that it is degraded.
    pub(super) is_weak: bool,
    /// When the first of the good ones came, and when the wait that it began ends.
    pub(super) wait: Option<(Moment, Moment)>,
    /// It could not be brought up to date.
    pub(super) is_behind: bool,
    /// Somebody checks it, until its verdict or this moment.
    claimed_until: Option<Moment>,
}

/// A safety net for verdicts that never come.
const LONGEST_CLAIM: Duration = Duration::from_secs(60);

impl Absence {
    pub(super) fn new(trigger: Trigger, sign: Moment, now: Moment) -> Self {
        Self {
            trigger,
            since: now,
            sign: sign.min(now),
            good: 0,
            bad: 0,
            is_weak: false,
            wait: None,
            is_behind: false,
            claimed_until: None,
        }
    }

    /// A good check; `wait` is begun by the first one in a row.
    pub(super) fn good(&mut self, now: Moment, wait: Duration) {
        self.claimed_until = None;
        self.bad = 0;
        self.is_weak = false;
        self.good = self.good.saturating_add(1);
        self.wait.get_or_insert((now, now + wait));
    }

    /// A bad check: the row and the wait begin anew.
    pub(super) fn bad(&mut self) {
        self.claimed_until = None;
        self.good = 0;
        self.bad = self.bad.saturating_add(1);
        self.is_weak = false;
        self.wait = None;
    }

    /// Its catch-up failed: that its health is good is no reason to try again.
    pub(super) fn fall_behind(&mut self) {
        self.bad();
        self.is_behind = true;
    }

    /// It answers, but is degraded: no good check, though better than nobody.
    pub(super) fn weak(&mut self) {
        self.bad();
        self.bad = 0;
        self.is_weak = true;
    }

    /// Whether the checks so far are enough to come back while another serves.
    pub(super) fn is_over(&self, now: Moment, recovery: &Recovery) -> bool {
        // It never served, so its coming disturbs nobody: the first good check is enough.
        if self.trigger == Trigger::Membership {
            return self.good > 0;
        }
        self.good >= recovery.threshold && self.wait.is_some_and(|(_, end)| now >= end)
    }

    pub(super) fn claim(&mut self, now: Moment) {
        self.claimed_until = Some(now + LONGEST_CLAIM);
    }

    pub(super) fn abandon(&mut self) {
        self.claimed_until = None;
    }

    /// When it is to be looked at next, having been asked last at `asked_at`. While nobody serves
    /// that is at once, if the last time is not too near.
    pub(super) fn next_check(
        &self,
        asked_at: Option<Moment>,
        is_needed: bool,
        spacing: Duration,
    ) -> Moment {
        if let Some(deadline) = self.claimed_until {
            return deadline;
        }
        let new = self.trigger == Trigger::Membership;
        let left_at = (!is_needed && !new).then_some(self.since);
        let Some(last) = asked_at.max(left_at) else { return Moment::ORIGIN };
        let next = last + spacing;
        match self.wait {
            Some((_, end)) if last < end => next.min(end),
            Some(_) | None => next,
        }
    }

    /// How far apart calls may try it: checks cost nobody anything, but a call that tries a hung
    /// backend is late, so they try less and less often, up to once in a `delay`.
    pub(super) fn spacing_of_trials(&self, is_needed: bool, recovery: &Recovery) -> Duration {
        let every = recovery.check_every;
        if is_needed {
            return every;
        }
        let most = recovery.delay.wait(1, 0.0).max(every);
        every.saturating_mul(1 << self.bad.min(20)).min(most)
    }
}
