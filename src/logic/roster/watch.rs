use super::{
    Look, MemberId, Roster, Rules,
    member::{Member, Place},
};
use crate::logic::Moment;

/// What the keeper of the members has to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// Members to check; each check ends with `good`, `bad` or `abandoned`.
    pub(crate) checks: Vec<MemberId>,
    /// Members to bring up to date; each ends with `caught_up`.
    pub(crate) catch_ups: Vec<MemberId>,
    /// When to look again, if nothing happens before.
    pub(crate) at: Moment,
}

impl Roster {
    /// What is to be done now; it is not said a second time.
    pub(crate) fn due(
        &mut self,
        now: Moment,
        rules: &Rules,
        looks: &dyn Fn(MemberId) -> Look,
    ) -> Due {
        let is_needed = self.active.is_none();
        let every = rules.recovery.check_every;
        let (mut checks, mut catch_ups) = (vec![], vec![]);
        let mut at = now + every;
        for member in &mut self.members {
            let (id, asked_at) = (member.id, member.asked_at);
            match &mut member.place {
                Place::Up(_) => {}
                Place::CatchingUp { is_claimed, .. } => {
                    if !std::mem::replace(is_claimed, true) {
                        catch_ups.push(id);
                    }
                }
                Place::Out(absence) => {
                    let look = looks(id);
                    if !look.is_monitored || look.is_shut {
                        continue;
                    }
                    if now >= absence.next_check(asked_at, is_needed, every) {
                        checks.push(id);
                        absence.claim(now);
                        member.asked_at = Some(now);
                    }
                    let Place::Out(absence) = &member.place else { continue };
                    at = at.min(absence.next_check(member.asked_at, is_needed, every));
                }
            }
        }
        let ends = [self.pin.map(|pin| pin.until), self.ramp.map(|ramp| ramp.until)];
        let trials = self.trials(rules, looks).into_iter().map(|(next, _)| next);
        let times = ends.into_iter().flatten().chain(trials);
        let at = times.filter(|time| *time > now).fold(at, Moment::min);
        Due { checks, catch_ups, at }
    }

    /// A member that a call may try now, in place of the one that serves. It is not said a second
    /// time before the call ends with `good`, `bad` or `abandoned`. While nobody serves any call
    /// may be the trial, as there is nowhere else to go.
    pub(crate) fn trial(
        &mut self,
        now: Moment,
        rules: &Rules,
        looks: &dyn Fn(MemberId) -> Look,
    ) -> Option<MemberId> {
        let trials = self.trials(rules, looks);
        let due = trials.into_iter().filter(|(next, _)| now >= *next).map(|(_, member)| member);
        let id = due.min_by_key(|member| member.rank.key())?.id;
        let member = self.member_mut(id)?;
        member.asked_at = Some(now);
        if let Some(absence) = member.absence_mut() {
            absence.claim(now);
        }
        Some(id)
    }

    /// From when on there is a [trial](Self::trial) for a call, if there is a member to try.
    pub(crate) fn trial_at(
        &self,
        rules: &Rules,
        looks: &dyn Fn(MemberId) -> Look,
    ) -> Option<Moment> {
        self.trials(rules, looks).into_iter().map(|(next, _)| next).min()
    }

    /// Members that are out, that nobody checks, and whose tier is not worse than that of the one
    /// that serves, each with the time of its next trial.
    fn trials(&self, rules: &Rules, looks: &dyn Fn(MemberId) -> Look) -> Vec<(Moment, &Member)> {
        let is_needed = self.active.is_none();
        let worst = self.active().and_then(|id| self.member(id)).map(|active| active.rank.tier);
        let next = |member: &Member| {
            let absence = member.absence()?;
            let spacing = absence.spacing_of_trials(is_needed, &rules.recovery);
            Some(absence.next_check(member.asked_at, is_needed, spacing))
        };
        self.seen(looks)
            .into_iter()
            .filter(|seen| !seen.look.is_monitored && seen.look.is_open())
            .filter(|seen| worst.is_none_or(|worst| seen.member.rank.tier <= worst))
            .filter_map(|seen| Some((next(seen.member)?, seen.member)))
            .collect()
    }
}
