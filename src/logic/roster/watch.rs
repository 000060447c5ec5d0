use super::{Look, MemberId, Roster, Rules, member::Place};
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
        let at = ends.into_iter().flatten().filter(|end| *end > now).fold(at, Moment::min);
        Due { checks, catch_ups, at }
    }

    /// A member that nobody checks, that is out, and that a call may try now, in place of the one
    /// that serves; none of a worse tier than that one. It is not said a second time before the
    /// call ends with `good`, `bad` or `abandoned`. While nobody serves any call may be the trial,
    /// as there is nowhere else to go.
    pub(crate) fn trial(
        &mut self,
        now: Moment,
        rules: &Rules,
        looks: &dyn Fn(MemberId) -> Look,
    ) -> Option<MemberId> {
        let is_needed = self.active.is_none();
        let worst = self.active().and_then(|active| self.member(active)).map(|it| it.rank.tier);
        let id = self
            .seen(looks)
            .into_iter()
            .filter(|seen| {
                let Some(absence) = seen.member.absence() else { return false };
                let spacing = absence.spacing_of_trials(is_needed, &rules.recovery);
                let next = absence.next_check(seen.member.asked_at, is_needed, spacing);
                let tier = worst.is_none_or(|worst| seen.member.rank.tier <= worst);
                tier && !seen.look.is_monitored && seen.look.is_open() && now >= next
            })
            .min_by_key(|seen| seen.member.rank.key())
            .map(|seen| seen.member.id)?;
        let member = self.member_mut(id)?;
        member.asked_at = Some(now);
        if let Some(absence) = member.absence_mut() {
            absence.claim(now);
        }
        Some(id)
    }

    /// Whether a call may find something to [try](Self::trial), now or later: then it is worth
    /// asking.
    pub(crate) fn has_trials(&self, looks: &dyn Fn(MemberId) -> Look) -> bool {
        let is_out = |member: &super::member::Member| member.absence().is_some();
        self.members.iter().any(|member| is_out(member) && !looks(member.id).is_monitored)
    }
}
