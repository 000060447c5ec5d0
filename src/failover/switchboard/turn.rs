use std::sync::{Arc, atomic::Ordering};

use super::{Board, Choice, Switchboard, Switches, Target, word::Sign};
use crate::{
    clock,
    event::{Bulletin, Grade, Name, Switch, Trigger},
    failover::NoBackend,
    logic::{
        Moment,
        roster::{Change, Look, MemberId, Rules, Standing},
    },
};

/// One turn at the switchboard, with its lock held.
pub(crate) struct Turn<'a> {
    switchboard: &'a Switchboard,
    pub(crate) board: &'a mut Board,
    pub(crate) now: Moment,
    news: Vec<Switch>,
    /// The upkeep is to look what there is to do.
    pub(crate) is_stirred: bool,
}

impl<'a> Turn<'a> {
    pub(crate) fn new(switchboard: &'a Switchboard, board: &'a mut Board, now: Moment) -> Self {
        Self { switchboard, board, now, news: Vec::new(), is_stirred: false }
    }

    pub(crate) fn rules(&self) -> &'a Rules {
        &self.switchboard.rules
    }

    pub(crate) fn looks(&self) -> impl Fn(MemberId) -> Look + use<> {
        let roster = &self.board.roster;
        self.board.members.looks(self.switchboard.policy.weights, &|id| !roster.has_left(id))
    }

    /// Looks at everybody and decides who serves.
    pub(crate) fn settle(&mut self) {
        let looks = self.looks();
        let Some(change) = self.board.roster.settle(self.now, self.rules(), &looks) else {
            return;
        };
        let switch = self.switch(change);
        self.board.records.push(switch.clone(), self.now);
        self.news.push(switch);
        self.is_stirred = true;
    }

    fn switch(&mut self, change: Change) -> Switch {
        let Change { from, to, trigger, since } = change;
        let name = |id| self.board.members.target(id).map(|target| target.name.clone());
        Switch {
            failover: self.switchboard.name.clone(),
            from: from.and_then(name),
            to: to.and_then(name),
            reason: self.reason(from, trigger),
            trigger,
            at: clock::wall(),
            switched_after: self.now - since,
            served_after: None,
            success: to.is_none().then_some(false),
        }
    }

    fn reason(&mut self, from: Option<MemberId>, trigger: Trigger) -> Name {
        let word = || Name::from(trigger.as_str());
        match trigger {
            Trigger::Start => "it is the best of all".into(),
            Trigger::Recovery => "it is back".into(),
            Trigger::Membership => "the backends are others now".into(),
            Trigger::Degradation => "it is slower or less sure than it used to be".into(),
            Trigger::Manual => self.board.said.take().unwrap_or_else(|| "by hand".into()),
            Trigger::Connection | Trigger::Timeout => {
                from.and_then(|from| self.last_error(from)).unwrap_or_else(word)
            }
            Trigger::Health | Trigger::Circuit | Trigger::Cascade => {
                from.and_then(|from| self.why(from)).unwrap_or_else(word)
            }
        }
    }

    /// What is wrong with a backend.
    fn why(&self, id: MemberId) -> Option<Name> {
        let refusal = self.board.members.target(id)?.refusal();
        refusal.or_else(|| self.last_error(id))
    }

    fn last_error(&self, id: MemberId) -> Option<Name> {
        self.board.members.get(id)?.why.clone()
    }

    pub(crate) fn active(&self) -> Option<Arc<Target>> {
        self.board.members.target(self.board.roster.active()?).cloned()
    }

    /// Whom a call goes to that has tried these.
    pub(crate) fn choose(&mut self, tried: &[MemberId], may_try: bool) -> Option<Choice> {
        let looks = self.looks();
        // Those that were tried are left out of the choice by looking shut.
        let looks = |id| Look { is_shut: tried.contains(&id) || looks(id).is_shut, ..looks(id) };
        if may_try && let Some(choice) = self.trial(false, &looks) {
            return Some(choice);
        }
        let (rules, roster) = (self.rules(), &self.board.roster);
        let before = roster.before().filter(|_| tried.is_empty());
        let id = before
            .filter(|id| !looks(*id).is_shut && fastrand::f64() >= roster.share(self.now, rules))
            .or_else(|| roster.next(tried, rules, &looks));
        match id {
            Some(id) => self.choice(id, false),
            None if roster.active().is_none_or(|active| tried.contains(&active)) => {
                self.trial(true, &looks)
            }
            None => None,
        }
    }

    fn trial(&mut self, is_stranded: bool, looks: &dyn Fn(MemberId) -> Look) -> Option<Choice> {
        let id = self.board.roster.trial(is_stranded, self.now, self.rules(), looks)?;
        self.choice(id, true)
    }

    fn choice(&self, id: MemberId, is_trial: bool) -> Option<Choice> {
        let target = self.board.members.target(id)?.clone();
        Some(Choice { target, is_trial })
    }

    /// Keeps what went wrong with a backend.
    pub(crate) fn note(&mut self, id: MemberId, why: Name) {
        if let Some(member) = self.board.members.get_mut(id) {
            member.why = Some(why);
        }
    }

    /// A call on a backend failed, which began then; it is left if that was one too many.
    pub(crate) fn failed(&mut self, target: &Target, trigger: Trigger, since: Moment, why: Name) {
        self.note(target.id, why);
        let since = since.min(self.now);
        let in_use_since = self.board.roster.in_use_since(target.id);
        let Some(in_use) = in_use_since.filter(|in_use| since >= *in_use) else { return };
        let Some(member) = self.board.members.get_mut(target.id) else { return };
        if member.counts_since.replace(in_use) != Some(in_use) {
            target.forget_failures();
        }
        if target.failed() >= self.switchboard.policy.leave_after {
            self.leave(target, trigger, since);
            self.settle();
        }
    }

    fn leave(&mut self, target: &Target, trigger: Trigger, since: Moment) {
        let (now, looks) = (self.now, self.looks());
        self.board.roster.leave(target.id, trigger, since, now, self.rules(), &looks);
        self.is_stirred = true;
    }

    pub(crate) fn confirm(&mut self, id: MemberId, after: Switches) {
        self.board.roster.answered(id);
        if self.board.roster.active() == Some(id) {
            self.board.records.confirm(after, self.now);
        }
    }

    pub(crate) fn checked(&mut self, id: MemberId, result: Result<(), Name>) {
        let is_weak = self.rules().leaves_degraded && (self.looks())(id).grade == Grade::Degraded;
        match result {
            // Its health wants more good checks before it believes in it.
            Ok(()) if (self.looks())(id).grade == Grade::Unhealthy => {
                self.board.roster.shows_life(id, self.now, self.rules(), fastrand::f64());
            }
            Ok(()) if is_weak => {
                self.note(id, "it is degraded".into());
                self.board.roster.weak(id);
            }
            Ok(()) => self.board.roster.good(id, self.now, self.rules(), fastrand::f64()),
            Err(why) => {
                self.note(id, why);
                self.board.roster.bad(id);
            }
        }
        self.is_stirred = true;
    }

    pub(crate) fn abandoned(&mut self, id: MemberId) {
        self.board.roster.abandoned(id);
        self.is_stirred = true;
    }

    /// Why nobody serves.
    pub(crate) fn nobody(&mut self, may_have_run: bool) -> NoBackend {
        let every = self.rules().recovery.check_every;
        let retry_after = |target: &Target| target.retry_after(every);
        let members = || self.board.members.iter();
        let reasons = members().map(|member| {
            let id = member.target.id;
            (member.target.name.clone(), self.why(id).unwrap_or_else(|| self.stands(id)))
        });
        NoBackend::new(
            self.switchboard.name.clone(),
            reasons.collect(),
            members().filter_map(|member| retry_after(&member.target)).min(),
            may_have_run,
        )
    }

    fn stands(&self, id: MemberId) -> Name {
        match self.board.roster.standing(id) {
            Some(Standing::Out { trigger, .. }) => Name::from(trigger.as_str()),
            Some(Standing::CatchingUp) => "it is brought up to date".into(),
            Some(Standing::Up) | None => "it was tried".into(),
        }
    }

    /// Shows the new state and posts the news of it; says whether there are news, and whether the
    /// upkeep is to look.
    pub(crate) fn end(self, bulletin: &Bulletin<Switch>) -> (bool, bool) {
        let looks = self.looks();
        let roster = &self.board.roster;
        let trial_at = roster.trial_at(self.now, self.rules(), &looks);
        let (of_safe, of_any) = trial_at.unwrap_or((Moment::NEVER, Moment::NEVER));
        self.switchboard.trial_at.store(of_safe.as_nanos(), Ordering::Relaxed);
        self.switchboard.any_trial_at.store(of_any.as_nanos(), Ordering::Relaxed);
        self.switchboard.word.write(Sign {
            active: roster.active(),
            is_unconfirmed: self.board.records.is_unconfirmed() || roster.is_in_doubt(),
            is_ramping: roster.share(self.now, self.rules()) < 1.0,
            wants_trial: roster.active().is_some() && trial_at.is_some(),
            switches: self.board.records.count(),
        });
        let has_news = !self.news.is_empty();
        self.news.into_iter().for_each(|switch| bulletin.post(switch));
        (has_news, self.is_stirred)
    }
}
