use super::{
    steps::{Answer, Outcome, Step, ago_of, is_about_somebody, step, world},
    world::{HEALTHY, World},
};
use std::time::Duration;

use proptest::prelude::*;

use crate::logic::{
    Moment,
    health::Grade,
    roster::{Change, Due, Look, MemberId, Roster, Rules, Standing, Trigger, Unfit},
    testing::{Seen, check},
};

/// The documented roster, slow and obvious: it keeps everything that ever befell each member, and
/// works out from that what it needs to know.
struct Model {
    rules: Rules,
    now: Moment,
    looks: Vec<Look>,
    members: Vec<Member>,
    /// Everybody who served, in which settling and since when, and by what.
    reigns: Vec<Reign>,
    pin: Option<(MemberId, Moment)>,
    settlings: u32,
}

struct Member {
    id: MemberId,
    tier: u32,
    weight: u32,
    has_catch_up: bool,
    log: Vec<Entry>,
}

#[derive(Clone, Copy)]
struct Entry {
    at: Moment,
    settling: u32,
    fact: Fact,
}

#[derive(Clone, Copy, PartialEq)]
enum Fact {
    Joined {
        is_up: bool,
        by: Trigger,
    },
    Left {
        trigger: Trigger,
        sign: Moment,
        while_serving: bool,
    },
    Asked,
    Good {
        random: f64,
    },
    Bad,
    NoVerdict,
    CatchesUp {
        by: Trigger,
        is_early: bool,
    },
    CatchUpBegan,
    /// Its catch-up was too early.
    BackOut,
    CatchUpFailed,
    Came {
        by: Trigger,
        sign: Moment,
    },
    ByHand,
    PinEnded,
}

#[derive(Clone, Copy)]
struct Reign {
    id: Option<MemberId>,
    at: Moment,
    settling: u32,
    took_over: bool,
    /// Who served before a recovery.
    recovered_from: Option<MemberId>,
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Up,
    Out,
    CatchingUp,
}

impl Member {
    fn place(&self) -> Place {
        let place = |entry: &Entry| match entry.fact {
            Fact::Joined { is_up: true, .. } | Fact::Came { .. } => Some(Place::Up),
            Fact::Joined { is_up: false, .. } | Fact::Left { .. } => Some(Place::Out),
            Fact::BackOut | Fact::CatchUpFailed => Some(Place::Out),
            Fact::CatchesUp { .. } => Some(Place::CatchingUp),
            Fact::Asked | Fact::Good { .. } | Fact::Bad | Fact::NoVerdict => None,
            Fact::CatchUpBegan | Fact::ByHand | Fact::PinEnded => None,
        };
        self.log.iter().rev().find_map(place).expect("has joined")
    }

    /// What happened since it was left last, or joined, and what that was.
    fn absence(&self) -> &[Entry] {
        let begins = |entry: &Entry| matches!(entry.fact, Fact::Joined { .. } | Fact::Left { .. });
        let begin = self.log.iter().rposition(begins).expect("has joined");
        &self.log[begin..]
    }

    /// Why it was left, since when, and the first sign.
    fn left_by(&self) -> (Trigger, Moment, Moment) {
        let entry = self.absence()[0];
        match entry.fact {
            Fact::Left { trigger, sign, .. } => (trigger, entry.at, sign),
            _ => (Trigger::Membership, entry.at, entry.at),
        }
    }

    fn is_out_by(&self, trigger: Trigger) -> bool {
        self.place() == Place::Out && self.left_by().0 == trigger
    }

    /// How many times in a row it was left.
    fn leavings(&self, stable_after: Duration) -> u32 {
        let (mut row, mut up_since) = (0, None);
        for entry in &self.log {
            match entry.fact {
                Fact::Joined { is_up: true, .. } | Fact::Came { .. } => up_since = Some(entry.at),
                Fact::Left { while_serving, .. } => match up_since.take() {
                    Some(since) if entry.at - since >= stable_after => row = 1,
                    Some(_) => row += 1,
                    None => row += u32::from(while_serving),
                },
                _ => {}
            }
        }
        row
    }

    /// The good checks since the last bad one.
    fn row(&self) -> Vec<(Moment, f64)> {
        let mut row = vec![];
        for entry in self.absence() {
            match entry.fact {
                Fact::Good { random } => row.push((entry.at, random)),
                Fact::Bad | Fact::CatchUpFailed => row.clear(),
                _ => {}
            }
        }
        row
    }

    fn bad_row(&self) -> u32 {
        let bad = |entry: &&Entry| matches!(entry.fact, Fact::Bad | Fact::CatchUpFailed);
        let good = |entry: &&Entry| !matches!(entry.fact, Fact::Good { .. });
        self.absence().iter().rev().take_while(good).filter(bad).count() as u32
    }

    fn wait_ends(&self, rules: &Rules) -> Option<Moment> {
        let (first, random) = *self.row().first()?;
        let leavings = self.leavings(rules.recovery.stable_after);
        Some(first + rules.recovery.delay.wait(leavings, random))
    }

    /// Since when somebody checks it and has not said how it is.
    fn asked_without_verdict(&self) -> Option<Moment> {
        let asked = self.absence().iter().rev().find(|entry| {
            matches!(
                entry.fact,
                Fact::Asked | Fact::Good { .. } | Fact::Bad | Fact::CatchUpFailed | Fact::NoVerdict
            )
        })?;
        (asked.fact == Fact::Asked).then_some(asked.at)
    }

    /// When it may be asked again.
    fn next_time(&self, nobody_serves: bool, spacing: Duration, rules: &Rules) -> Moment {
        if let Some(asked) = self.asked_without_verdict() {
            return asked + Duration::from_secs(60);
        }
        let (trigger, left, _) = self.left_by();
        let asked = self.log.iter().filter(|entry| entry.fact == Fact::Asked).map(|entry| entry.at);
        let mut times: Vec<_> = asked.collect();
        if !nobody_serves && trigger != Trigger::Membership {
            times.push(left);
        }
        let Some(last) = times.into_iter().max() else { return Moment::ORIGIN };
        let end = self.wait_ends(rules).filter(|end| *end > last);
        end.map_or(last + spacing, |end| end.min(last + spacing))
    }

    /// Whether it came, or was told to, after this settling.
    fn is_back_since(&self, settling: u32) -> bool {
        let comes = |entry: &Entry| {
            matches!(entry.fact, Fact::Came { .. } | Fact::ByHand | Fact::PinEnded)
                && entry.settling > settling
        };
        self.place() == Place::Up && self.log.iter().any(comes)
    }

    /// What it came by last, and the first sign of that.
    fn came_by(&self) -> (Trigger, Moment) {
        let by = |entry: &Entry| match entry.fact {
            Fact::Joined { by, .. } => Some((by, entry.at)),
            Fact::Came { by, sign } => Some((by, sign)),
            Fact::ByHand => Some((Trigger::Manual, entry.at)),
            Fact::PinEnded => Some((Trigger::Recovery, entry.at)),
            _ => None,
        };
        self.log.iter().rev().find_map(by).expect("has joined")
    }
}

impl Model {
    fn look(&self, id: MemberId) -> Look {
        self.looks[id.0 as usize]
    }

    fn find(&self, id: MemberId) -> Option<&Member> {
        self.members.iter().find(|member| member.id == id)
    }

    fn note(&mut self, id: MemberId, fact: Fact) {
        self.note_at(id, fact, self.now);
    }

    fn note_at(&mut self, id: MemberId, fact: Fact, at: Moment) {
        let settling = self.settlings;
        let member = self.members.iter_mut().find(|member| member.id == id);
        member.expect("is a member").log.push(Entry { at, settling, fact });
    }

    fn reign(&self) -> Option<&Reign> {
        self.reigns.last()
    }

    fn active(&self) -> Option<MemberId> {
        self.reign()?.id
    }

    fn home(&self) -> Option<MemberId> {
        self.pin.map(|(home, _)| home)
    }

    fn is_open(&self, id: MemberId) -> bool {
        self.look(id).grade != Grade::Unhealthy && !self.look(id).is_shut
    }

    fn is_good(&self, member: &Member) -> bool {
        let degraded = self.rules.leaves_degraded && self.look(member.id).grade == Grade::Degraded;
        let bears = !degraded || self.home() == Some(member.id);
        member.place() == Place::Up && self.is_open(member.id) && bears
    }

    fn is_usable(&self, member: &Member) -> bool {
        let resort = member.is_out_by(Trigger::Degradation) && !member.has_catch_up;
        self.is_open(member.id) && (member.place() == Place::Up || resort)
    }

    /// Whether one usable member is to be chosen before another.
    fn goes_before(&self, one: &Member, other: &Member) -> bool {
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

    fn first_of(&self, members: Vec<&Member>) -> Option<MemberId> {
        let goes_first = |one: &&&Member| {
            members.iter().all(|other| other.id == one.id || self.goes_before(one, other))
        };
        members.iter().find(goes_first).map(|member| member.id)
    }

    fn usable_but(&self, tried: &[MemberId]) -> Vec<&Member> {
        let members = self.members.iter();
        members.filter(|it| self.is_usable(it) && !tried.contains(&it.id)).collect()
    }

    fn is_better_rank(one: &Member, other: &Member) -> bool {
        one.tier < other.tier || one.tier == other.tier && one.weight > other.weight
    }

    fn leave(&mut self, id: MemberId, trigger: Trigger, sign: Moment) {
        let while_serving = self.active() == Some(id);
        let Some(member) = self.find(id) else { return };
        let came = |entry: &&Entry| matches!(entry.fact, Fact::Joined { .. } | Fact::Came { .. });
        let leaves = match member.place() {
            Place::Up => {
                let came = member.log.iter().rev().find(came).expect("has joined");
                sign >= came.at
            }
            Place::Out => member.is_out_by(Trigger::Degradation) && sign >= member.left_by().1,
            Place::CatchingUp => false,
        };
        if leaves {
            self.note(id, Fact::Left { trigger, sign, while_serving });
        }
    }

    /// Out, it comes back, by way of its catch-up.
    fn come(&mut self, id: MemberId, by: Trigger, is_early: bool) {
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

    fn comes_by_itself(member: &Member) -> Trigger {
        if member.left_by().0 == Trigger::Membership {
            Trigger::Membership
        } else {
            Trigger::Recovery
        }
    }

    fn come_by_hand(&mut self, id: MemberId) {
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

    fn step(&mut self, step: &Step) -> Outcome {
        let is_out = |model: &Self, id| model.find(id).is_some_and(|it| it.place() == Place::Out);
        let mut answer = Answer::Nothing;
        match step {
            Step::Pass(time) => self.now = self.now + *time,
            Step::Look(id, look) => self.looks[id.0 as usize] = *look,
            Step::Leave(id, trigger, ago) => self.leave(*id, *trigger, ago_of(self.now, *ago)),
            Step::Good(id, random) => {
                if is_out(self, *id) {
                    self.note(*id, Fact::Good { random: *random });
                    let member = self.find(*id).expect("is a member");
                    let enough = member.row().len() >= self.rules.recovery.threshold as usize;
                    let waited = member.wait_ends(&self.rules).is_some_and(|end| self.now >= end);
                    let new = member.left_by().0 == Trigger::Membership;
                    if new || enough && waited {
                        self.come(*id, Self::comes_by_itself(member), false);
                    }
                }
            }
            Step::Bad(id) if is_out(self, *id) => self.note(*id, Fact::Bad),
            Step::Abandoned(id) if is_out(self, *id) => self.note(*id, Fact::NoVerdict),
            Step::Bad(_) | Step::Abandoned(_) => {}
            Step::CaughtUp(id, is_ok) => self.caught_up(*id, *is_ok),
            Step::Add((tier, weight), has_catch_up) => self.add(*tier, *weight, *has_catch_up),
            Step::Remove(id) => {
                self.members.retain(|member| member.id != *id);
                self.pin = self.pin.filter(|(home, _)| home != id);
            }
            Step::FailOver(id, within) => {
                answer = Answer::FailOver(if self.find(*id).is_none() {
                    Err(Unfit::Unknown)
                } else if self.look(*id).grade == Grade::Unhealthy {
                    Err(Unfit::Unhealthy)
                } else if self.look(*id).is_shut {
                    Err(Unfit::Shut)
                } else {
                    self.come_by_hand(*id);
                    let until = within.map_or(Moment::NEVER, |within| self.now + within);
                    self.pin = Some((*id, until));
                    Ok(())
                });
            }
            Step::Recover => {
                self.pin = None;
                let ids: Vec<_> = self.members.iter().map(|member| member.id).collect();
                for id in ids {
                    if self.is_open(id) && self.look(id).grade != Grade::Degraded {
                        self.come_by_hand(id);
                    }
                }
            }
            Step::Due => answer = Answer::Due(self.due()),
            Step::Trial => answer = Answer::Member(self.trial()),
            Step::Next(tried) => {
                let usable = self.usable_but(tried);
                let active = usable.iter().find(|it| Some(it.id) == self.active()).map(|it| it.id);
                answer = Answer::Member(active.or_else(|| self.first_of(usable)));
            }
        }
        Outcome { answer, change: self.settle() }
    }

    fn add(&mut self, tier: u32, weight: u32, has_catch_up: bool) {
        let id = MemberId(self.looks.len() as u32);
        self.looks.push(HEALTHY);
        self.members.push(Member { id, tier, weight, has_catch_up, log: vec![] });
        let has_begun = !self.reigns.is_empty();
        let by = if has_begun { Trigger::Membership } else { Trigger::Start };
        let nobody_serves = self.active().is_none();
        let catches_up = has_begun && has_catch_up;
        self.note(id, Fact::Joined { is_up: nobody_serves && !catches_up, by });
        if nobody_serves && catches_up {
            self.come(id, Trigger::Membership, true);
        }
    }

    fn caught_up(&mut self, id: MemberId, is_ok: bool) {
        let Some(member) = self.find(id).filter(|it| it.place() == Place::CatchingUp) else {
            return;
        };
        let catches = |entry: &Entry| match entry.fact {
            Fact::CatchesUp { by, is_early } => Some((by, is_early)),
            _ => None,
        };
        let (by, is_early) = member.log.iter().rev().find_map(catches).expect("catches up");
        if !is_ok {
            self.note(id, Fact::CatchUpFailed);
        } else if is_early && self.active().is_some() {
            self.note(id, Fact::BackOut);
        } else {
            self.come(id, by, is_early);
        }
    }

    fn due(&mut self) -> Due {
        let (now, every) = (self.now, self.rules.recovery.check_every);
        let nobody_serves = self.active().is_none();
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
                Place::CatchingUp if !began => catch_ups.push(member.id),
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
        times.extend(self.trials().into_iter().map(|(next, _)| next));
        let at = times.into_iter().filter(|time| *time > now).min().expect("one is later");
        Due { checks, catch_ups, at }
    }

    fn trials(&self) -> Vec<(Moment, &Member)> {
        let recovery = &self.rules.recovery;
        let active = self.active().and_then(|id| self.find(id));
        let mut trials = vec![];
        for member in &self.members {
            let is_not_worse = active.is_none_or(|active| member.tier <= active.tier);
            let is_tried = !self.look(member.id).is_monitored && self.is_open(member.id);
            if member.place() == Place::Out && is_not_worse && is_tried {
                let mut spacing = recovery.check_every;
                if self.active().is_some() {
                    let most = recovery.delay.wait(1, 0.0).max(spacing);
                    for _ in 0..member.bad_row() {
                        spacing = most.min(2 * spacing);
                    }
                }
                let next = member.next_time(self.active().is_none(), spacing, &self.rules);
                trials.push((next, member));
            }
        }
        trials
    }

    fn trial(&mut self) -> Option<MemberId> {
        let mut best: Option<&Member> = None;
        for (next, member) in self.trials() {
            if self.now >= next && best.is_none_or(|best| Self::is_better_rank(member, best)) {
                best = Some(member);
            }
        }
        let id = best?.id;
        self.note(id, Fact::Asked);
        Some(id)
    }

    fn settle(&mut self) -> Option<Change> {
        let change = self.decide();
        self.settlings += 1;
        change
    }

    fn decide(&mut self) -> Option<Change> {
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
        let to = self.wanted().or_else(|| self.rescue());
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

    fn wanted(&self) -> Option<MemberId> {
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

    fn rescue(&mut self) -> Option<MemberId> {
        let news = [Trigger::Health, Trigger::Circuit, Trigger::Degradation, Trigger::Membership];
        let could = |member: &&Member| {
            let healthy = self.look(member.id).grade == Grade::Healthy;
            let well = !member.row().is_empty() || healthy && news.contains(&member.left_by().0);
            member.place() == Place::Out && self.is_open(member.id) && well
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

    /// Who served before a gradual recovery, and when that ends.
    fn ramp(&self) -> Option<(MemberId, Moment)> {
        let reign = self.reign()?;
        let end = reign.at + self.rules.recovery.gradual?;
        let before = reign.recovered_from.filter(|before| self.find(*before).is_some())?;
        Some((before, end))
    }

    fn share(&self) -> f64 {
        let Some((before, end)) = self.ramp() else { return 1.0 };
        let is_up = self.find(before).is_some_and(|it| it.place() == Place::Up);
        if !is_up || self.now >= end {
            return 1.0;
        }
        let left = (end - self.now).as_secs_f64();
        let gradual = self.rules.recovery.gradual.expect("is gradual").as_secs_f64();
        1.0 - (1.0 - self.rules.recovery.first_share.get()) * left / gradual
    }

    fn standing(&self, id: MemberId) -> Option<Standing> {
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

fn begin(rules: Rules, first: &[((u32, u32), bool)]) -> (World, Model) {
    let mut world = World::new(&[]);
    world.rules = rules;
    world.roster = Roster::new();
    let mut model = Model {
        rules,
        now: world.now,
        looks: vec![],
        members: vec![],
        reigns: vec![],
        pin: None,
        settlings: 0,
    };
    for (rank, has_catch_up) in first {
        world.add(*rank, *has_catch_up);
        model.add(rank.0, rank.1, *has_catch_up);
    }
    assert_eq!(world.settle(), model.settle());
    (world, model)
}

#[test]
fn the_roster_does_what_the_obvious_model_does() {
    let seen = Seen::new([
        "start",
        "health",
        "circuit",
        "connection",
        "timeout",
        "degradation",
        "cascade",
        "manual",
        "recovery",
        "membership",
        "nobody",
        "check",
        "catch-up",
        "trial",
        "share",
        "refused",
        "step",
    ]);
    let cases = (world(), prop::collection::vec(step(), 1..220));
    check(file!(), 1_000, cases, |((rules, first), steps)| {
        let (mut world, mut model) = begin(rules, &first);
        for step in &steps {
            if !is_about_somebody(step, &world) {
                continue;
            }
            seen.note("step");
            let (is, should) = (world.step(step), model.step(step));
            prop_assert_eq!(&is, &should, "{:?}", step);
            for id in (0..world.looks.len()).map(|id| MemberId(id as u32)) {
                prop_assert_eq!(world.roster.standing(id), model.standing(id), "{:?}", step);
            }
            let share = world.roster.share(world.now, &world.rules);
            prop_assert!((share - model.share()).abs() < 1e-9, "{} {}", share, model.share());
            if let Some(change) = is.change {
                seen.note(change.trigger.as_str());
                if change.to.is_none() {
                    seen.note("nobody");
                }
            }
            match is.answer {
                Answer::Due(due) => {
                    due.checks.iter().for_each(|_| seen.note("check"));
                    due.catch_ups.iter().for_each(|_| seen.note("catch-up"));
                }
                Answer::Member(Some(_)) if matches!(step, Step::Trial) => seen.note("trial"),
                Answer::FailOver(Err(_)) => seen.note("refused"),
                Answer::Nothing | Answer::Member(_) | Answer::FailOver(Ok(())) => {}
            }
            if share < 1.0 {
                seen.note("share");
            }
        }
        Ok(())
    });
    seen.all();
    println!("{seen:?}");
}
