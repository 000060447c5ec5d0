use super::{
    super::{
        steps::{Answer, Outcome, Step, ago_of},
        world::HEALTHY,
    },
    member::{Entry, Fact, Member, Place},
    model::Model,
};
use crate::logic::{
    Moment,
    health::Grade,
    roster::{MemberId, Trigger, Unfit},
};

impl Model {
    pub(super) fn step(&mut self, step: &Step) -> Outcome {
        let is_out = |model: &Self, id| model.find(id).is_some_and(|it| it.place() == Place::Out);
        let mut answer = Answer::Nothing;
        match step {
            Step::Pass(time) => self.now = self.now + *time,
            Step::Look(id, look) => self.looks[id.0 as usize] = *look,
            Step::Leave(id, trigger, ago) => self.fail(*id, *trigger, ago_of(self.now, *ago)),
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
            Step::Trial(is_stranded) => {
                answer = Answer::Member(self.trial(*is_stranded || self.is_forlorn()));
            }
            Step::Answered(id) => {
                if self.find(*id).is_some() {
                    self.note(*id, Fact::Answered);
                }
            }
            Step::Next(tried) => {
                let usable = self.usable_but(tried);
                let active = usable.iter().find(|it| Some(it.id) == self.active()).map(|it| it.id);
                answer = Answer::Member(active.or_else(|| self.first_of(usable)));
            }
        }
        Outcome { answer, change: self.settle() }
    }

    pub(super) fn add(&mut self, tier: u32, weight: u32, has_catch_up: bool) {
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

    pub(super) fn caught_up(&mut self, id: MemberId, is_ok: bool) {
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
        } else if is_early && !self.is_forlorn() {
            self.note(id, Fact::BackOut);
        } else {
            self.come(id, by, is_early);
        }
    }
}
