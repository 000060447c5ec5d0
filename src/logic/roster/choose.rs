use std::cmp::Ordering;

use super::{
    Look, MemberId, Roster, Rules, Trigger,
    member::{Member, Place},
};
use crate::logic::health::Grade;

/// A member with how it looks, both at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    pub(super) member: &'a Member,
    pub(super) look: Look,
}

/// Who is used first. What is not usable has no class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Good,
    /// Degraded, or left because it was.
    LastResort,
}

impl Seen<'_> {
    /// The member that is preferred by hand is good as long as it is usable: who chose it knows.
    pub(super) fn class(&self, home: Option<MemberId>, rules: &Rules) -> Option<Class> {
        let degraded = rules.leaves_degraded && self.look.grade == Grade::Degraded;
        match &self.member.place {
            Place::Up(_) | Place::Out(_) if !self.look.is_open() => None,
            Place::Up(_) if degraded && home != Some(self.member.id) => Some(Class::LastResort),
            Place::Up(_) => Some(Class::Good),
            Place::Out(absence)
                if absence.trigger == Trigger::Degradation && !self.member.has_catch_up =>
            {
                Some(Class::LastResort)
            }
            Place::Out(_) | Place::CatchingUp { .. } => None,
        }
    }

    /// Nobody serves well, and it could: a check was good since it was left, or its health says so
    /// anew, or it is degraded and answers. That a health was good all the time while calls or a
    /// catch-up failed is no news.
    pub(super) fn is_rescue(&self) -> bool {
        let Some(absence) = self.member.absence() else { return false };
        let news = match absence.trigger {
            Trigger::Health | Trigger::Circuit | Trigger::Degradation | Trigger::Membership => true,
            Trigger::Start
            | Trigger::Connection
            | Trigger::Timeout
            | Trigger::Cascade
            | Trigger::Manual
            | Trigger::Recovery => false,
        };
        let healthy = news && !absence.is_behind && self.look.grade == Grade::Healthy;
        self.look.is_open() && (absence.good > 0 || absence.is_weak || healthy)
    }

    /// Sorts the one to be chosen first: the preferred by hand, the lower tier, then the greater
    /// score, then the greater weight; a stable sort leaves the rest in the order of addition.
    pub(super) fn order(&self, other: &Self, home: Option<MemberId>) -> Ordering {
        let score = |seen: &Self| if seen.look.score.is_nan() { f64::MIN } else { seen.look.score };
        let rank = |seen: &Self| seen.member.rank;
        let is_other = |seen: &Self| Some(seen.member.id) != home;
        is_other(self)
            .cmp(&is_other(other))
            .then_with(|| rank(self).tier.cmp(&rank(other).tier))
            .then_with(|| score(other).total_cmp(&score(self)))
            .then_with(|| rank(other).weight.cmp(&rank(self).weight))
    }
}

impl Roster {
    /// Everybody, as it looks now: each is asked once, so that one decision is made of one piece.
    pub(super) fn seen(&self, looks: &dyn Fn(MemberId) -> Look) -> Vec<Seen<'_>> {
        let seen = |member| Seen { member, look: looks(member.id) };
        self.members.iter().map(seen).collect()
    }

    pub(super) fn home(&self) -> Option<MemberId> {
        self.pin.map(|pin| pin.home)
    }

    /// Whom a call tries next that has tried these: who serves, and then as at a switch.
    pub(crate) fn next(
        &self,
        tried: &[MemberId],
        rules: &Rules,
        looks: &dyn Fn(MemberId) -> Look,
    ) -> Option<MemberId> {
        let mut seen = self.seen(looks);
        seen.retain(|seen| !tried.contains(&seen.member.id));
        let active = seen.iter().find(|seen| self.active() == Some(seen.member.id));
        match active.filter(|seen| seen.class(self.home(), rules).is_some()) {
            Some(active) => Some(active.member.id),
            None => self.best(&seen, rules),
        }
    }

    /// Whether calls can go to this one and to nobody else.
    pub(super) fn is_last(
        &self,
        id: MemberId,
        rules: &Rules,
        looks: &dyn Fn(MemberId) -> Look,
    ) -> bool {
        let mut seen = self.seen(looks);
        seen.retain(|seen| seen.class(self.home(), rules).is_some());
        seen.len() == 1 && seen[0].member.id == id
    }

    /// The one to be chosen at a switch.
    pub(super) fn best(&self, seen: &[Seen<'_>], rules: &Rules) -> Option<MemberId> {
        let home = self.home();
        let mut usable: Vec<_> = seen
            .iter()
            .filter_map(|seen| seen.class(home, rules).map(|class| (class, *seen)))
            .collect();
        usable.sort_by(|(class, one), (other_class, other)| {
            class.cmp(other_class).then_with(|| one.order(other, home))
        });
        usable.first().map(|(_, seen)| seen.member.id)
    }
}
