use std::sync::Arc;

use super::{Switchboard, Target, turn::Turn};
use crate::{
    event::Name,
    failover::{AddError, Backend},
    logic::{
        Moment,
        roster::{Due, MemberId},
    },
};

/// What is to be done, by backend.
pub(crate) struct Errands {
    pub(crate) checks: Vec<Arc<Target>>,
    pub(crate) catch_ups: Vec<Arc<Target>>,
    pub(crate) now: Moment,
    /// When to look again, if nothing happens before.
    pub(crate) at: Moment,
}

/// What is done beside the calls.
impl Switchboard {
    /// Adds backends, all or none.
    pub(crate) fn add<S>(&self, backends: Vec<Backend<S>>) -> Result<(), AddError>
    where
        S: Send + 'static,
    {
        for backend in &backends {
            AddError::unless_fit(backend, self.policy.mode)?;
        }
        let names: Vec<_> = backends.iter().map(|backend| backend.name.clone()).collect();
        let mut backends = Some(backends);
        // If not, they are dropped without the lock.
        self.act(|turn| {
            turn.unless_taken(&names)?;
            backends.take().into_iter().flatten().for_each(|backend| turn.add(backend));
            turn.settle();
            Ok(())
        })
    }

    pub(crate) fn targets(&self) -> Vec<Arc<Target>> {
        self.glance(|board| board.members.iter().map(|member| member.target.clone()).collect())
    }

    /// What is to be done now; it is not said a second time.
    pub(crate) fn errands(&self) -> Errands {
        self.act(|turn| {
            turn.settle();
            turn.errands()
        })
    }

    /// A backend has been brought up to date, or not.
    pub(crate) fn caught_up(&self, id: MemberId, result: Result<(), Name>) {
        self.act(|turn| {
            turn.caught_up(id, result);
            turn.settle();
        });
    }
}

impl Turn<'_> {
    fn unless_taken(&self, names: &[Name]) -> Result<(), AddError> {
        let is_known = |name: &Name| self.board.members.named(name.as_str()).is_some();
        let twice = |(n, name): (usize, &Name)| names[..n].contains(name) || is_known(name);
        match names.iter().enumerate().find(|it| twice(*it)) {
            Some((_, name)) => Err(AddError::name_taken(name)),
            None => Ok(()),
        }
    }

    fn add<S>(&mut self, backend: Backend<S>)
    where
        S: Send + 'static,
    {
        let id = self.board.members.next_id();
        let (rank, has_catch_up) = (backend.rank, backend.catch_up.is_some());
        self.board.members.push(Arc::new(Target::new(id, backend)));
        self.board.roster.add(id, rank, has_catch_up, self.now);
        self.is_stirred = true;
    }

    fn errands(&mut self) -> Errands {
        let (now, looks) = (self.now, self.looks());
        let Due { checks, catch_ups, at } = self.board.roster.due(now, self.rules(), &looks);
        let targets = |ids: Vec<MemberId>| {
            ids.into_iter().filter_map(|id| self.board.members.target(id).cloned()).collect()
        };
        Errands { checks: targets(checks), catch_ups: targets(catch_ups), now, at }
    }

    fn caught_up(&mut self, id: MemberId, result: Result<(), Name>) {
        self.board.roster.caught_up(id, result.is_ok(), self.now);
        if let Err(why) = result {
            self.note(id, why);
        }
        self.is_stirred = true;
    }
}
