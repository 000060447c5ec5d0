use super::{
    member::{Fact, Member, Place},
    model::{Model, Reign},
};
use crate::logic::{
    health::Grade,
    roster::{Change, MemberId, Trigger},
};

impl Model {
    pub(super) fn settle(&mut self) -> Option<Change> {
        let change = self.decide();
        self.settlings += 1;
        change
    }

    pub(super) fn decide(&mut self) -> Option<Change> {
        let ids: Vec<_> = self.members.iter().map(|member| member.id).collect();
        if let Some((home, until)) = self.pin.filter(|(_, until)| self.now >= *until) {
            self.pin = None;
            for id in &ids {
                let is_up = self.find(*id).is_some_and(|it| it.place() == Place::Up);
                if is_up && self.active() == Some(home) {
                    self.note_at(*id, Fact::PinEnded, until);
                }
            }
        }
        let was_resort = |model: &Self| {
            let active = model.active().and_then(|id| model.find(id));
            active.is_some_and(|it| it.is_out_by(Trigger::Degradation))
        };
        let was_resort_before = was_resort(self);
        for id in &ids {
            if self.look(*id).grade == Grade::Unhealthy {
                self.leave(*id, Trigger::Health, self.now);
            } else if self.look(*id).is_shut {
                self.leave(*id, Trigger::Circuit, self.now);
            }
        }
        if self.members.iter().any(|member| self.is_good(member)) {
            for id in &ids {
                let member = self.find(*id).expect("is a member");
                if member.place() == Place::Up && !self.is_good(member) {
                    self.leave(*id, Trigger::Degradation, self.now);
                }
            }
        }
        if let (Some(active), Some((trigger, sign))) = (self.active(), self.firm_doubt()) {
            let is_last = |model: &Self| {
                let usable = model.usable_but(&[]);
                usable.len() == 1 && usable[0].id == active
            };
            if is_last(self) {
                self.rescue(Some(active));
            }
            if !is_last(self) {
                self.leave(active, trigger, sign);
            }
        }
        let to = self.wanted().or_else(|| self.rescue(None));
        let from = self.active();
        if from == to {
            return None;
        }
        let by_arrival = |model: &Self| {
            let to = to.and_then(|id| model.find(id)).filter(|it| it.place() == Place::Up);
            to.map_or((Trigger::Recovery, model.now), Member::came_by)
        };
        let (trigger, since) = match from.map(|id| self.find(id)) {
            None => by_arrival(self),
            Some(None) => (Trigger::Membership, self.now),
            Some(Some(_)) if was_resort_before && was_resort(self) => by_arrival(self),
            Some(Some(member)) if member.place() == Place::Out => {
                let reign = self.reign().expect("somebody served");
                let soon = reign.took_over && self.now - reign.at < self.rules.cascade_within;
                let (trigger, _, sign) = member.left_by();
                (if soon { Trigger::Cascade } else { trigger }, sign)
            }
            Some(Some(_)) => by_arrival(self),
        };
        let for_another = [Trigger::Start, Trigger::Manual, Trigger::Recovery, Trigger::Membership];
        let gradual = trigger == Trigger::Recovery && self.rules.recovery.gradual.is_some();
        self.reigns.push(Reign {
            id: to,
            at: self.now,
            settling: self.settlings,
            took_over: from.is_some() && !for_another.contains(&trigger),
            recovered_from: from.filter(|_| gradual && to.is_some()),
        });
        Some(Change { from, to, trigger, since })
    }

    pub(super) fn wanted(&self) -> Option<MemberId> {
        let usable = self.usable_but(&[]);
        let active = usable.iter().find(|it| Some(it.id) == self.active()).copied();
        let Some(active) = active else { return self.first_of(usable) };
        let home = usable.iter().find(|it| self.home() == Some(it.id)).copied();
        let good: Vec<_> = usable.iter().filter(|it| self.is_good(it)).copied().collect();
        if !self.is_good(active) && !good.is_empty() {
            return self.first_of(good);
        }
        if let Some(home) = home.filter(|home| self.is_good(home) || good.is_empty()) {
            return Some(home.id);
        }
        let settling = self.reign().expect("somebody serves").settling;
        let mut chosen = active;
        for member in good {
            if member.is_back_since(settling) && Self::is_better_rank(member, chosen) {
                chosen = member;
            }
        }
        Some(chosen.id)
    }

    pub(super) fn rescue(&mut self, in_doubt: Option<MemberId>) -> Option<MemberId> {
        let news = [Trigger::Health, Trigger::Circuit, Trigger::Degradation, Trigger::Membership];
        let could = |member: &&Member| {
            let healthy = self.look(member.id).grade == Grade::Healthy;
            let is_news = news.contains(&member.left_by().0) && !member.is_behind();
            let well = !member.row().is_empty() || healthy && is_news;
            let is_sure = Some(member.id) != in_doubt;
            member.place() == Place::Out && self.is_open(member.id) && well && is_sure
        };
        let found: Vec<_> = self.members.iter().filter(could).collect();
        let ready: Vec<_> = found.iter().filter(|it| !it.has_catch_up).copied().collect();
        let chosen = self.first_of(ready);
        let come: Vec<_> = found
            .iter()
            .filter(|it| chosen.is_none_or(|chosen| chosen == it.id))
            .map(|it| (it.id, Self::comes_by_itself(it)))
            .collect();
        for (id, by) in come {
            self.come(id, by, true);
        }
        chosen
    }
}
