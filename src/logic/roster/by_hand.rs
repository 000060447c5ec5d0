use super::{Look, MemberId, Roster, Trigger, member::Place, roster::Pin};
use crate::logic::{Moment, health::Grade};

/// Why a member cannot be made to serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// There is no such member.
    Unknown,
    Unhealthy,
    /// Its circuit refuses.
    Shut,
}

impl Roster {
    /// Makes a member the one that is preferred to all others until then, or until
    /// [`recover`](Self::recover). It serves from the next settling on, or, if it has to, from the
    /// end of its catch-up; whenever it is not usable, others do.
    pub(crate) fn fail_over(
        &mut self,
        id: MemberId,
        until: Option<Moment>,
        now: Moment,
        looks: &dyn Fn(MemberId) -> Look,
    ) -> Result<(), Unfit> {
        let member = self.member_mut(id).ok_or(Unfit::Unknown)?;
        let look = looks(id);
        if look.grade == Grade::Unhealthy {
            return Err(Unfit::Unhealthy);
        }
        if look.is_shut {
            return Err(Unfit::Shut);
        }
        member.come_by_hand(now);
        self.pin = Some(Pin { home: id, until: until.unwrap_or(Moment::NEVER) });
        Ok(())
    }

    /// Ends the preference that was set by hand, and the waits of all members that look fine. The
    /// best of them then serves.
    pub(crate) fn recover(&mut self, now: Moment, looks: &dyn Fn(MemberId) -> Look) {
        self.pin = None;
        for member in &mut self.members {
            let look = looks(member.id);
            if look.is_open() && look.grade != Grade::Degraded {
                member.come_by_hand(now);
            }
        }
    }
}

impl super::member::Member {
    fn come_by_hand(&mut self, now: Moment) {
        if self.absence().is_some() {
            self.come(Trigger::Manual, false, now);
        }
        match &mut self.place {
            Place::Up(presence) => {
                presence.by = Trigger::Manual;
                presence.sign = now;
                presence.is_back = true;
            }
            Place::CatchingUp { by, is_early, .. } => {
                *by = Trigger::Manual;
                *is_early = false;
            }
            Place::Out(_) => {}
        }
    }
}
