use super::member::{Entry, Fact, Member, Place};
use crate::logic::{
    Moment,
    health::Grade,
    roster::{Look, MemberId, Rules, Standing, Trigger},
};

/// The documented roster, slow and obvious: it keeps everything that ever befell each member, and
/// works out from that what it needs to know.
pub(super) struct Model {
    pub(super) rules: Rules,
    pub(super) now: Moment,
    pub(super) looks: Vec<Look>,
    pub(super) members: Vec<Member>,
    /// Everybody who served, in which settling and since when, and by what.
    pub(super) reigns: Vec<Reign>,
    pub(super) pin: Option<(MemberId, Moment)>,
    pub(super) settlings: u32,
}

#[derive(Clone, Copy)]
pub(super) struct Reign {
    pub(super) id: Option<MemberId>,
    pub(super) at: Moment,
    pub(super) settling: u32,
    pub(super) took_over: bool,
    /// Who served before a recovery.
    pub(super) recovered_from: Option<MemberId>,
}

impl Model {
    pub(super) fn look(&self, id: MemberId) -> Look {
        self.looks[id.0 as usize]
    }

    pub(super) fn find(&self, id: MemberId) -> Option<&Member> {
        self.members.iter().find(|member| member.id == id)
    }

    pub(super) fn note(&mut self, id: MemberId, fact: Fact) {
        self.note_at(id, fact, self.now);
    }

    pub(super) fn note_at(&mut self, id: MemberId, fact: Fact, at: Moment) {
        let settling = self.settlings;
        let member = self.members.iter_mut().find(|member| member.id == id);
        member.expect("is a member").log.push(Entry { at, settling, fact });
    }

    pub(super) fn reign(&self) -> Option<&Reign> {
        self.reigns.last()
    }

    pub(super) fn active(&self) -> Option<MemberId> {
        self.reign()?.id
    }

    pub(super) fn home(&self) -> Option<MemberId> {
        self.pin.map(|(home, _)| home)
    }

    pub(super) fn is_open(&self, id: MemberId) -> bool {
        self.look(id).grade != Grade::Unhealthy && !self.look(id).is_shut
    }

    pub(super) fn is_good(&self, member: &Member) -> bool {
        let degraded = self.rules.leaves_degraded && self.look(member.id).grade == Grade::Degraded;
        let bears = !degraded || self.home() == Some(member.id);
        member.place() == Place::Up && self.is_open(member.id) && bears
    }

    pub(super) fn is_usable(&self, member: &Member) -> bool {
        let resort = member.is_out_by(Trigger::Degradation) && !member.has_catch_up;
        self.is_open(member.id) && (member.place() == Place::Up || resort)
    }

    /// Whether one usable member is to be chosen before another.
    pub(super) fn goes_before(&self, one: &Member, other: &Member) -> bool {
        let order = |it: &Member| self.members.iter().position(|member| member.id == it.id);
        if self.is_good(one) != self.is_good(other) {
            return self.is_good(one);
        }
        for it in [one, other] {
            if self.home() == Some(it.id) {
                return it.id == one.id;
            }
        }
        if one.tier != other.tier {
            return one.tier < other.tier;
        }
        let (score, other_score) = (self.look(one.id).score, self.look(other.id).score);
        if score != other_score {
            return score > other_score;
        }
        if one.weight != other.weight {
            return one.weight > other.weight;
        }
        order(one) < order(other)
    }

    pub(super) fn first_of(&self, members: Vec<&Member>) -> Option<MemberId> {
        let goes_first = |one: &&&Member| {
            members.iter().all(|other| other.id == one.id || self.goes_before(one, other))
        };
        members.iter().find(goes_first).map(|member| member.id)
    }

    pub(super) fn usable_but(&self, tried: &[MemberId]) -> Vec<&Member> {
        let members = self.members.iter();
        members.filter(|it| self.is_usable(it) && !tried.contains(&it.id)).collect()
    }

    pub(super) fn is_better_rank(one: &Member, other: &Member) -> bool {
        one.tier < other.tier || one.tier == other.tier && one.weight > other.weight
    }

    /// A call on it failed, which began then.
    pub(super) fn fail(&mut self, id: MemberId, trigger: Trigger, sign: Moment) {
        let usable = self.usable_but(&[]);
        if usable.len() != 1 || usable[0].id != id {
            self.leave(id, trigger, sign);
        } else if self.active() == Some(id) && Self::is_news(usable[0], sign) {
            self.note(id, Fact::Kept { trigger, sign });
        }
    }

    /// The first failure of who serves since it does so or has answered: what it was, its sign, and
    /// when.
    pub(super) fn kept(&self) -> Option<(Trigger, Moment, Moment)> {
        let reign = self.reign()?;
        let log = &self.find(reign.id?)?.log;
        let mut kept = None;
        for entry in log.iter().filter(|entry| entry.settling > reign.settling) {
            match entry.fact {
                Fact::Kept { trigger, sign } if kept.is_none() => {
                    kept = Some((trigger, sign, entry.at));
                }
                Fact::Answered => kept = None,
                _ => {}
            }
        }
        kept
    }

    pub(super) fn firm_doubt(&self) -> Option<(Trigger, Moment)> {
        let (trigger, sign, at) = self.kept()?;
        (self.now - at >= self.rules.recovery.check_every).then_some((trigger, sign))
    }

    /// Nobody serves, or nobody of whom anything good was seen for a while.
    pub(super) fn is_forlorn(&self) -> bool {
        self.active().is_none() || self.firm_doubt().is_some()
    }

    pub(super) fn leave(&mut self, id: MemberId, trigger: Trigger, sign: Moment) {
        let while_serving = self.active() == Some(id);
        let Some(member) = self.find(id) else { return };
        if Self::is_news(member, sign) {
            self.note(id, Fact::Left { trigger, sign, while_serving });
        }
    }

    fn is_news(member: &Member, sign: Moment) -> bool {
        let came = |entry: &&Entry| matches!(entry.fact, Fact::Joined { .. } | Fact::Came { .. });
        match member.place() {
            Place::Up => {
                let came = member.log.iter().rev().find(came).expect("has joined");
                sign >= came.at
            }
            Place::Out => member.is_out_by(Trigger::Degradation) && sign >= member.left_by().1,
            Place::CatchingUp => false,
        }
    }

    /// Out, it comes back, by way of its catch-up.
    pub(super) fn come(&mut self, id: MemberId, by: Trigger, is_early: bool) {
        let member = self.find(id).expect("is a member");
        let catches_up = member.has_catch_up && member.place() == Place::Out;
        let fact = if catches_up {
            Fact::CatchesUp { by, is_early }
        } else {
            let sign = member.row().first().map_or(self.now, |(first, _)| *first);
            Fact::Came { by, sign }
        };
        self.note(id, fact);
    }

    pub(super) fn comes_by_itself(member: &Member) -> Trigger {
        if member.left_by().0 == Trigger::Membership {
            Trigger::Membership
        } else {
            Trigger::Recovery
        }
    }

    pub(super) fn come_by_hand(&mut self, id: MemberId) {
        if self.find(id).expect("is a member").place() == Place::Out {
            self.come(id, Trigger::Manual, false);
        }
        match self.find(id).expect("is a member").place() {
            Place::Up => self.note(id, Fact::ByHand),
            Place::CatchingUp => {
                self.note(id, Fact::CatchesUp { by: Trigger::Manual, is_early: false });
            }
            Place::Out => unreachable!("it came"),
        }
    }

    /// Who served before a gradual recovery, and when that ends.
    pub(super) fn ramp(&self) -> Option<(MemberId, Moment)> {
        let reign = self.reign()?;
        let end = reign.at + self.rules.recovery.gradual?;
        let before = reign.recovered_from.filter(|before| self.find(*before).is_some())?;
        Some((before, end))
    }

    pub(super) fn share(&self) -> f64 {
        let Some((before, end)) = self.ramp() else { return 1.0 };
        let is_up = self.find(before).is_some_and(|it| it.place() == Place::Up);
        if !is_up || self.now >= end {
            return 1.0;
        }
        let left = (end - self.now).as_secs_f64();
        let gradual = self.rules.recovery.gradual.expect("is gradual").as_secs_f64();
        1.0 - (1.0 - self.rules.recovery.first_share.get()) * left / gradual
    }

    pub(super) fn standing(&self, id: MemberId) -> Option<Standing> {
        let member = self.find(id)?;
        Some(match member.place() {
            Place::Up => Standing::Up,
            Place::CatchingUp => Standing::CatchingUp,
            Place::Out => {
                let (trigger, since, _) = member.left_by();
                let good = member.row().len() as u32;
                Standing::Out { trigger, since, good, back_at: member.wait_ends(&self.rules) }
            }
        })
    }
}
