use std::{sync::Arc, time::Duration};

use super::{Target, turn::Turn};
use crate::{event::Name, logic::roster::Unfit};

/// What somebody does by hand.
impl Turn<'_> {
    pub(crate) fn fail_over(
        &mut self,
        to: &str,
        why: Name,
        lasts_for: Option<Duration>,
    ) -> Result<(), Unfit> {
        let id = self.board.members.named(to).ok_or(Unfit::Unknown)?.id;
        let (now, looks) = (self.now, self.looks());
        let until = lasts_for.map(|lasts_for| now + lasts_for);
        self.board.roster.fail_over(id, until, now, &looks)?;
        self.by_hand(why);
        Ok(())
    }

    pub(crate) fn recover(&mut self, why: Name) {
        let (now, looks) = (self.now, self.looks());
        self.board.roster.recover(now, &looks);
        self.by_hand(why);
    }

    fn by_hand(&mut self, why: Name) {
        self.board.said = Some(why);
        self.is_stirred = true;
        self.settle();
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<Arc<Target>> {
        let id = self.board.members.named(name)?.id;
        self.board.roster.remove(id);
        self.is_stirred = true;
        self.settle();
        self.board.members.remove(id).map(|member| member.target)
    }
}
