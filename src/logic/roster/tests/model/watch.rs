use super::{
    member::{Entry, Fact, Member, Place},
    model::Model,
};
use crate::logic::{
    Moment,
    roster::{Due, MemberId},
};

impl Model {
    pub(super) fn due(&mut self) -> Due {
        let (now, every) = (self.now, self.rules.recovery.check_every);
        let nobody_serves = self.is_forlorn();
        let (mut checks, mut catch_ups, mut times) = (vec![], vec![], vec![now + every]);
        for member in &self.members {
            let began = |entry: &Entry| match entry.fact {
                Fact::CatchUpBegan => Some(true),
                Fact::Left { .. } | Fact::BackOut | Fact::CatchUpFailed => Some(false),
                Fact::Joined { .. } => Some(false),
                _ => None,
            };
            let began = member.log.iter().rev().find_map(began).expect("has joined");
            let look = self.look(member.id);
            let next = member.next_time(nobody_serves, every, &self.rules);
            match member.place() {
                Place::CatchingUp if !began => {
                    match member.failed_catch_up().map(|failed| failed + every) {
                        Some(next) if now < next => times.push(next),
                        Some(_) | None => catch_ups.push(member.id),
                    }
                }
                Place::Out if look.is_monitored && !look.is_shut && now >= next => {
                    checks.push(member.id);
                }
                Place::Out if look.is_monitored && !look.is_shut => times.push(next),
                Place::Up | Place::Out | Place::CatchingUp => {}
            }
        }
        for id in &checks {
            self.note(*id, Fact::Asked);
        }
        for id in &catch_ups {
            self.note(*id, Fact::CatchUpBegan);
        }
        times.extend(self.pin.map(|(_, until)| until));
        times.extend(self.ramp().map(|(_, end)| end));
        times.extend(self.trials(nobody_serves).into_iter().map(|(next, _)| next));
        let at = times.into_iter().filter(|time| *time > now).min().expect("one is later");
        Due { checks, catch_ups, at }
    }

    pub(super) fn trials(&self, is_needed: bool) -> Vec<(Moment, &Member)> {
        let recovery = &self.rules.recovery;
        let active = self.active().and_then(|id| self.find(id));
        let mut trials = vec![];
        for member in &self.members {
            let is_not_worse = active.is_none_or(|active| member.tier <= active.tier);
            let is_wanted = is_needed || is_not_worse || self.home() == Some(member.id);
            let look = self.look(member.id);
            let is_tried = !look.is_monitored && !look.is_shut;
            if member.place() == Place::Out && is_wanted && is_tried {
                let mut spacing = recovery.check_every;
                if !is_needed {
                    let most = recovery.delay.wait(1, 0.0).max(spacing);
                    for _ in 0..member.bad_row() {
                        spacing = most.min(2 * spacing);
                    }
                }
                let next = member.next_time(is_needed, spacing, &self.rules);
                trials.push((next, member));
            }
        }
        trials
    }

    pub(super) fn trial(&mut self, is_needed: bool) -> Option<MemberId> {
        let mut best: Option<&Member> = None;
        for (next, member) in self.trials(is_needed) {
            if self.now >= next && best.is_none_or(|best| Self::is_better_rank(member, best)) {
                best = Some(member);
            }
        }
        let id = best?.id;
        self.note(id, Fact::Asked);
        Some(id)
    }
}
