use std::time::Duration;

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
        let is_needed = self.is_forlorn(now);
        let every = rules.recovery.check_every;
        let (mut checks, mut catch_ups) = (vec![], vec![]);
        let mut at = now + every;
        for member in &mut self.members {
            let (id, asked_at) = (member.id, member.asked_at);
            match &mut member.place {
                Place::Up(_) => {}
                Place::CatchingUp { is_claimed, .. } if !*is_claimed => {
                    let next = member.caught_up_at.map_or(now, |begun| begun + every);
                    if now >= next {
                        catch_ups.push(id);
                        *is_claimed = true;
                        member.caught_up_at = Some(now);
                    } else {
                        at = at.min(next);
                    }
                }
                Place::CatchingUp { .. } => {}
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
        let trials = self.trials(is_needed, rules, looks).into_iter().map(|(next, _)| next);
        let times = ends.into_iter().flatten().chain(trials);
        let at = times.filter(|time| *time > now).fold(at, Moment::min);
        Due { checks, catch_ups, at }
    }

    /// A member that a call may try now, in place of the one that serves. It is not said a second
    /// time before the call ends with `good`, `bad` or `abandoned`. A call that is `stranded` has
    /// nowhere else to go.
    pub(crate) fn trial(
        &mut self,
        is_stranded: bool,
        now: Moment,
        rules: &Rules,
        looks: &dyn Fn(MemberId) -> Look,
    ) -> Option<MemberId> {
        let trials = self.trials(is_stranded || self.is_forlorn(now), rules, looks);
        let due = trials.into_iter().filter(|(next, _)| now >= *next).map(|(_, member)| member);
        let id = due.min_by_key(|member| member.rank.key())?.id;
        let member = self.member_mut(id)?;
        member.asked_at = Some(now);
        if let Some(absence) = member.absence_mut() {
            absence.claim(now);
        }
        Some(id)
    }

    /// From when on there is a [trial](Self::trial), if there is a member to try: for a call that
    /// may be repeated, and for any call. The latter has to wait until it seems that there are no
    /// others, unless nobody serves well.
    pub(crate) fn trial_at(
        &self,
        now: Moment,
        rules: &Rules,
        looks: &dyn Fn(MemberId) -> Look,
    ) -> Option<(Moment, Moment)> {
        let is_needed = self.is_forlorn(now);
        let next = self.trials(is_needed, rules, looks).into_iter().map(|(next, _)| next).min()?;
        let patience = if is_needed { Duration::ZERO } else { rules.recovery.check_every };
        Some((next, next + patience))
    }

    /// Members that are out, that nobody checks, and that are no worse than the one that serves,
    /// each with the time of its next trial. If another is needed, all will do.
    fn trials(
        &self,
        is_needed: bool,
        rules: &Rules,
        looks: &dyn Fn(MemberId) -> Look,
    ) -> Vec<(Moment, &Member)> {
        let active = self.active().filter(|_| !is_needed);
        let worst = active.and_then(|id| self.member(id)).map(|active| active.rank.tier);
        let is_fit = |member: &Member| {
            let is_home = self.home() == Some(member.id);
            is_home || worst.is_none_or(|worst| member.rank.tier <= worst)
        };
        let next = |member: &Member| {
            let absence = member.absence()?;
            let spacing = absence.spacing_of_trials(is_needed, &rules.recovery);
            Some(absence.next_check(member.asked_at, is_needed, spacing))
        };
        self.seen(looks)
            .into_iter()
            .filter(|seen| !seen.look.is_monitored && !seen.look.is_shut)
            .filter(|seen| is_fit(seen.member))
            .filter_map(|seen| Some((next(seen.member)?, seen.member)))
            .collect()
    }
}
