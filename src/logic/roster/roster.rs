use super::{
    Look, MemberId, Rank, Rules, Standing, Trigger,
    absence::Absence,
    member::{Member, Place, Presence, Sign},
    ramp::Ramp,
};
use crate::logic::Moment;

/// Who of several backends serves.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    /// In the order of their addition.
    pub(super) members: Vec<Member>,
    pub(super) active: Option<Active>,
    pub(super) pin: Option<Pin>,
    pub(super) ramp: Option<Ramp>,
    /// Somebody has served.
    pub(super) has_begun: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Active {
    pub(super) id: MemberId,
    pub(super) since: Moment,
    /// It serves because another one failed.
    pub(super) took_over: bool,
    /// It failed and has not answered since, and is kept because nobody else can serve.
    pub(super) doubt: Option<Doubt>,
}

/// The failure that a member would have been left for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubt {
    pub(super) trigger: Trigger,
    pub(super) sign: Moment,
    /// From then on another is better that was good once; until then this may have been an error
    /// among many answers.
    pub(super) firm_at: Moment,
}

/// Who is preferred by hand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pin {
    pub(super) home: MemberId,
    pub(super) until: Moment,
}

impl Roster {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a member. Once somebody has served, a new one is checked before it is used, and caught
    /// up, too; if nobody serves, a check would only cost time. Who begins with several members
    /// adds them all before it settles.
    pub(crate) fn add(&mut self, id: MemberId, rank: Rank, has_catch_up: bool, now: Moment) {
        let absence = Absence::new(Trigger::Membership, now, now);
        let by = if self.has_begun { Trigger::Membership } else { Trigger::Start };
        let up = Presence { since: now, by, sign: now, is_back: false };
        let place = if self.active.is_some() { Place::Out(absence) } else { Place::Up(up) };
        let mut member =
            Member { id, rank, has_catch_up, place, left: 0, asked_at: None, caught_up_at: None };
        if self.active.is_none() && self.has_begun && has_catch_up {
            member.place = Place::Out(absence);
            member.come(Trigger::Membership, true, now);
        }
        self.members.push(member);
    }

    pub(crate) fn remove(&mut self, id: MemberId) {
        self.members.retain(|member| member.id != id);
        self.pin = self.pin.filter(|pin| pin.home != id);
        self.ramp = self.ramp.filter(|ramp| ramp.before != id);
    }

    pub(crate) fn active(&self) -> Option<MemberId> {
        self.active.map(|active| active.id)
    }

    pub(crate) fn standing(&self, id: MemberId) -> Option<Standing> {
        self.member(id).map(|member| match member.place {
            Place::Up(_) => Standing::Up,
            Place::Out(Absence { trigger, since, good, wait, .. }) => {
                Standing::Out { trigger, since, good, back_at: wait.map(|(_, end)| end) }
            }
            Place::CatchingUp { .. } => Standing::CatchingUp,
        })
    }

    /// Whether a member is out, and no last resort either.
    pub(crate) fn has_left(&self, id: MemberId) -> bool {
        self.member(id).is_some_and(|member| member.in_use_since().is_none())
    }

    /// Since when calls may go to a member, if only as a last resort.
    pub(crate) fn in_use_since(&self, id: MemberId) -> Option<Moment> {
        self.member(id)?.in_use_since()
    }

    /// A call on a member failed so that it is left; `since` is when that call began. It is kept if
    /// nobody else can serve: who fails now and then is better than nobody.
    pub(crate) fn leave(
        &mut self,
        id: MemberId,
        trigger: Trigger,
        since: Moment,
        now: Moment,
        rules: &Rules,
        looks: &dyn Fn(MemberId) -> Look,
    ) {
        let is_active = self.active() == Some(id);
        if self.is_last(id, rules, looks) {
            let is_news = self.in_use_since(id).is_some_and(|in_use| since >= in_use);
            if let Some(active) = self.active.as_mut().filter(|_| is_active && is_news) {
                let firm_at = now + rules.recovery.check_every;
                active.doubt.get_or_insert(Doubt { trigger, sign: since, firm_at });
            }
            return;
        }
        if let Some(member) = self.member_mut(id) {
            member.leave(Sign { trigger, since, now }, is_active, &rules.recovery);
        }
    }

    /// A member answered a call.
    pub(crate) fn answered(&mut self, id: MemberId) {
        if let Some(active) = self.active.as_mut().filter(|active| active.id == id) {
            active.doubt = None;
        }
    }

    /// Whether who serves failed, is kept all the same, and has not answered since.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.active.is_some_and(|active| active.doubt.is_some())
    }

    /// Whether nobody serves, or one does that has only failed for a while.
    pub(super) fn is_forlorn(&self, now: Moment) -> bool {
        self.active.is_none() || self.firm_doubt(now).is_some()
    }

    pub(super) fn firm_doubt(&self, now: Moment) -> Option<(MemberId, Doubt)> {
        let active = self.active?;
        active.doubt.filter(|doubt| now >= doubt.firm_at).map(|doubt| (active.id, doubt))
    }

    /// A recovery check or a trial call went well: the member answered, and its health, if it has
    /// one, does not say that it is unhealthy or, unless `leaves_degraded` is off, degraded.
    pub(crate) fn good(&mut self, id: MemberId, now: Moment, rules: &Rules, random: f64) {
        self.shows_life(id, now, rules, random);
        let Some(member) = self.member_mut(id) else { return };
        let Some(absence) = member.absence() else { return };
        if absence.is_over(now, &rules.recovery) {
            member.come(Member::return_trigger(absence), false, now);
        }
    }

    /// A recovery check or a trial call was answered, but the health of the member does not call it
    /// fit yet: the row and the wait go on, and do not end.
    pub(crate) fn shows_life(&mut self, id: MemberId, now: Moment, rules: &Rules, random: f64) {
        let Some(member) = self.member_mut(id) else { return };
        let wait = rules.recovery.delay.wait(member.left, random);
        if let Some(absence) = member.absence_mut() {
            absence.good(now, wait);
        }
    }

    /// A recovery check or a trial call was answered by a member that is degraded: while nobody else
    /// can serve, it may.
    pub(crate) fn weak(&mut self, id: MemberId) {
        if let Some(absence) = self.member_mut(id).and_then(Member::absence_mut) {
            absence.weak();
        }
    }

    /// A recovery check or a trial call failed.
    pub(crate) fn bad(&mut self, id: MemberId) {
        if let Some(absence) = self.member_mut(id).and_then(Member::absence_mut) {
            absence.bad();
        }
    }

    /// A recovery check or a trial call ended without a verdict.
    pub(crate) fn abandoned(&mut self, id: MemberId) {
        if let Some(absence) = self.member_mut(id).and_then(Member::absence_mut) {
            absence.abandon();
        }
    }

    /// The catch-up of a member has ended. One that was begun only because nobody served does not
    /// end the wait, if somebody serves by now.
    pub(crate) fn caught_up(&mut self, id: MemberId, is_ok: bool, now: Moment) {
        let is_served = !self.is_forlorn(now);
        let Some(member) = self.member_mut(id) else { return };
        let Place::CatchingUp { mut absence, by, is_early, .. } = member.place else { return };
        if is_ok {
            member.caught_up_at = None;
        }
        if is_ok && !(is_early && is_served) {
            member.come(by, is_early, now);
            return;
        }
        if !is_ok {
            absence.fall_behind();
        }
        member.place = Place::Out(absence);
    }

    pub(super) fn member(&self, id: MemberId) -> Option<&Member> {
        self.members.iter().find(|member| member.id == id)
    }

    pub(super) fn member_mut(&mut self, id: MemberId) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.id == id)
    }
}
