use super::{Recovery, Trigger, absence::Absence};
use crate::logic::Moment;

/// A member, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MemberId(pub(crate) u32);

/// What its owner thinks of a member: lower tiers first, then greater weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rank {
    pub(crate) tier: u32,
    pub(crate) weight: u32,
}

impl Rank {
    /// Sorts the best first.
    pub(super) fn key(self) -> (u32, u32) {
        (self.tier, u32::MAX - self.weight)
    }
}

/// That something is wrong with a member, since when, and the time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sign {
    pub(super) trigger: Trigger,
    pub(super) since: Moment,
    pub(super) now: Moment,
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) id: MemberId,
    pub(super) rank: Rank,
    pub(super) has_catch_up: bool,
    pub(super) place: Place,
    /// How many times in a row it was left.
    pub(super) left: u32,
    /// When it was asked last whether it is well.
    pub(super) asked_at: Option<Moment>,
    /// When the catch-up began that runs or has failed last.
    pub(super) caught_up_at: Option<Moment>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Up(Presence),
    Out(Absence),
    CatchingUp {
        absence: Absence,
        by: Trigger,
        /// Its wait is not over: nobody else could serve.
        is_early: bool,
        is_claimed: bool,
    },
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Presence {
    pub(super) since: Moment,
    /// What it came by, and the first sign of that.
    pub(super) by: Trigger,
    pub(super) sign: Moment,
    /// It came after the last choice, in which it had no part.
    pub(super) is_back: bool,
}

impl Member {
    /// Leaves. A call that began before it came up says nothing about how it is now, and a failure
    /// of one that is out already says nothing new, unless that is a last resort.
    pub(super) fn leave(&mut self, sign: Sign, is_active: bool, recovery: &Recovery) {
        let Sign { trigger, since, now } = sign;
        if self.in_use_since().is_none_or(|in_use| since < in_use) {
            return;
        }
        self.left = match self.place {
            Place::Up(presence) if now - presence.since >= recovery.stable_after => 1,
            Place::Up(_) => self.left.saturating_add(1),
            Place::Out(_) => self.left.saturating_add(u32::from(is_active)),
            Place::CatchingUp { .. } => return,
        };
        self.place = Place::Out(Absence::new(trigger, since, now));
    }

    /// Since when calls may go there, if only as a last resort.
    pub(super) fn in_use_since(&self) -> Option<Moment> {
        match self.place {
            Place::Up(presence) => Some(presence.since),
            Place::Out(absence) if absence.trigger == Trigger::Degradation => Some(absence.since),
            Place::Out(_) | Place::CatchingUp { .. } => None,
        }
    }

    /// Comes back, after its catch-up if it has one.
    pub(super) fn come(&mut self, by: Trigger, is_early: bool, now: Moment) {
        match self.place {
            Place::Out(absence) if self.has_catch_up => {
                self.place = Place::CatchingUp { absence, by, is_early, is_claimed: false };
            }
            Place::Out(absence) | Place::CatchingUp { absence, .. } => {
                let sign = absence.wait.map_or(now, |(first, _)| first);
                self.place = Place::Up(Presence { since: now, by, sign, is_back: true });
            }
            Place::Up(_) => {}
        }
    }

    /// What it comes back by, by itself.
    pub(super) fn return_trigger(absence: &Absence) -> Trigger {
        if absence.trigger == Trigger::Membership { Trigger::Membership } else { Trigger::Recovery }
    }

    pub(super) fn absence(&self) -> Option<&Absence> {
        match &self.place {
            Place::Out(absence) => Some(absence),
            Place::Up(_) | Place::CatchingUp { .. } => None,
        }
    }

    pub(super) fn absence_mut(&mut self) -> Option<&mut Absence> {
        match &mut self.place {
            Place::Out(absence) => Some(absence),
            Place::Up(_) | Place::CatchingUp { .. } => None,
        }
    }
}
