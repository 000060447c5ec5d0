use super::{
    Change, Look, MemberId, Roster, Rules, Trigger,
    choose::{Class, Seen},
    member::{Member, Place, Presence, Sign},
    ramp::Ramp,
    roster::Active,
};
use crate::logic::{Moment, health::Grade};

impl Roster {
    /// Looks at everybody and decides who serves.
    ///
    /// Who serves is kept as long as it is usable, unless it is degraded and another is not, or a
    /// member of a better tier or weight has come back, or another is preferred by hand.
    pub(crate) fn settle(
        &mut self,
        now: Moment,
        rules: &Rules,
        looks: &dyn Fn(MemberId) -> Look,
    ) -> Option<Change> {
        let looks: Vec<_> =
            self.members.iter().map(|member| (member.id, looks(member.id))).collect();
        let looks = |id| look_of(&looks, id);
        self.end_pin(now);
        let before = self.active.and_then(|active| self.member(active.id)).map(|it| it.place);
        self.mark_out(now, rules, &looks);
        self.end_doubt(now, rules, &looks);
        let to = self.wanted(rules, &looks).or_else(|| self.rescue(None, now, &looks));
        let from = self.active();
        if to == from {
            return None;
        }
        let (trigger, since) = self.cause(before, to, now, rules);
        self.serve(to, trigger, now, rules);
        Some(Change { from, to, trigger, since })
    }

    /// The end of a preference lets every better member come back.
    fn end_pin(&mut self, now: Moment) {
        let Some(pin) = self.pin.filter(|pin| now >= pin.until) else { return };
        self.pin = None;
        if self.active() == Some(pin.home) {
            for member in &mut self.members {
                if let Place::Up(presence) = &mut member.place {
                    *presence = Presence {
                        by: Trigger::Recovery,
                        sign: pin.until,
                        is_back: true,
                        ..*presence
                    };
                }
            }
        }
    }

    fn mark_out(&mut self, now: Moment, rules: &Rules, looks: &dyn Fn(MemberId) -> Look) {
        let (active, home) = (self.active(), self.home());
        let leave = |member: &mut Member, trigger| {
            let is_active = active == Some(member.id);
            member.leave(Sign { trigger, since: now, now }, is_active, &rules.recovery);
        };
        for member in &mut self.members {
            let look = looks(member.id);
            if look.grade == Grade::Unhealthy {
                leave(member, Trigger::Health);
            } else if look.is_shut {
                leave(member, Trigger::Circuit);
            }
        }
        let is_good = |seen: &Seen<'_>| seen.class(home, rules) == Some(Class::Good);
        if !self.seen(looks).iter().any(is_good) {
            return;
        }
        for member in &mut self.members {
            let seen = Seen { member, look: looks(member.id) };
            let is_up = matches!(member.place, Place::Up(_));
            if is_up && seen.class(home, rules) == Some(Class::LastResort) {
                leave(member, Trigger::Degradation);
            }
        }
    }

    /// Who has only failed for a while was better than nobody, but not than another.
    fn end_doubt(&mut self, now: Moment, rules: &Rules, looks: &dyn Fn(MemberId) -> Look) {
        let Some((id, doubt)) = self.firm_doubt(now) else { return };
        if self.is_last(id, rules, looks) {
            self.rescue(Some(id), now, looks);
        }
        if !self.is_last(id, rules, looks)
            && let Some(member) = self.member_mut(id)
        {
            let sign = Sign { trigger: doubt.trigger, since: doubt.sign, now };
            member.leave(sign, true, &rules.recovery);
        }
    }

    fn wanted(&self, rules: &Rules, looks: &dyn Fn(MemberId) -> Look) -> Option<MemberId> {
        let (all, home) = (self.seen(looks), self.home());
        let class = |seen: &Seen<'_>| seen.class(home, rules);
        let best = self.best(&all, rules);
        let active = all.iter().find(|seen| Some(seen.member.id) == self.active());
        let Some(active) = active.filter(|seen| class(seen).is_some()) else { return best };
        let is_better = best.is_some_and(|best| {
            let best = all.iter().find(|seen| seen.member.id == best);
            best.and_then(class) < class(active) || home == best.map(|seen| seen.member.id)
        });
        if is_better {
            return best;
        }
        if home == Some(active.member.id) {
            return home;
        }
        let back = all
            .iter()
            .filter(|seen| class(seen) == Some(Class::Good))
            .filter(|seen| matches!(seen.member.place, Place::Up(Presence { is_back: true, .. })))
            .filter(|seen| seen.member.rank.key() < active.member.rank.key())
            .min_by_key(|seen| seen.member.rank.key());
        Some(back.unwrap_or(active).member.id)
    }

    /// Nobody can serve well: then the first that could does at once, or as soon as it has caught up.
    /// Who is in doubt does not rescue itself.
    fn rescue(
        &mut self,
        in_doubt: Option<MemberId>,
        now: Moment,
        looks: &dyn Fn(MemberId) -> Look,
    ) -> Option<MemberId> {
        let mut found = self.seen(looks);
        found.retain(|seen| seen.is_rescue() && Some(seen.member.id) != in_doubt);
        let is_weak = |seen: &Seen<'_>| seen.member.absence().is_some_and(|it| it.is_weak);
        found.sort_by(|one, other| {
            is_weak(one).cmp(&is_weak(other)).then_with(|| one.order(other, self.home()))
        });
        let id = |seen: &Seen<'_>| seen.member.id;
        let at_once = found.iter().find(|seen| !seen.member.has_catch_up).map(id);
        let found: Vec<_> = found.iter().map(id).collect();
        for id in at_once.map_or(found, |id| vec![id]) {
            if let Some(member) = self.member_mut(id)
                && let Some(absence) = member.absence()
            {
                member.come(Member::return_trigger(absence), true, now);
            }
        }
        at_once
    }

    /// Why it is `to` from now on; `before` is where the one that served stood until now.
    fn cause(
        &self,
        before: Option<Place>,
        to: Option<MemberId>,
        now: Moment,
        rules: &Rules,
    ) -> (Trigger, Moment) {
        let Some(active) = self.active else {
            return self.arrival(to).unwrap_or((Trigger::Recovery, now));
        };
        let Some(member) = self.member(active.id) else { return (Trigger::Membership, now) };
        let was_last_resort =
            matches!(before, Some(Place::Out(it)) if it.trigger == Trigger::Degradation);
        match member.place {
            Place::Out(it) if !(was_last_resort && it.trigger == Trigger::Degradation) => {
                let soon = active.took_over && now - active.since < rules.cascade_within;
                (if soon { Trigger::Cascade } else { it.trigger }, it.sign)
            }
            Place::Up(_) | Place::Out(_) | Place::CatchingUp { .. } => {
                self.arrival(to).unwrap_or((Trigger::Recovery, now))
            }
        }
    }

    /// What the one that comes came by.
    fn arrival(&self, to: Option<MemberId>) -> Option<(Trigger, Moment)> {
        match self.member(to?)?.place {
            Place::Up(Presence { by, sign, .. }) => Some((by, sign)),
            Place::Out(_) | Place::CatchingUp { .. } => None,
        }
    }

    fn serve(&mut self, to: Option<MemberId>, trigger: Trigger, now: Moment, rules: &Rules) {
        let before = self.active();
        let took_over = before.is_some()
            && match trigger {
                Trigger::Health
                | Trigger::Circuit
                | Trigger::Connection
                | Trigger::Timeout
                | Trigger::Degradation
                | Trigger::Cascade => true,
                Trigger::Start | Trigger::Manual | Trigger::Recovery | Trigger::Membership => false,
            };
        self.active = to.map(|id| Active { id, since: now, took_over, doubt: None });
        self.has_begun |= to.is_some();
        let gradual = rules.recovery.gradual.filter(|_| trigger == Trigger::Recovery);
        self.ramp = before.zip(gradual).map(|(before, gradual)| Ramp::new(before, now, gradual));
        for member in &mut self.members {
            if let Place::Up(presence) = &mut member.place {
                presence.is_back = false;
            }
        }
    }
}

fn look_of(looks: &[(MemberId, Look)], id: MemberId) -> Look {
    let look = looks.iter().find(|(of, _)| *of == id);
    look.map(|(_, look)| *look).expect("every member was looked at")
}
