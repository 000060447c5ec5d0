use super::{
    steps::{Answer, Step, is_about_somebody},
    world::World,
};
use crate::logic::{
    Moment,
    health::Grade,
    roster::{Change, Look, MemberId, Rules, Standing},
};

/// What was to be seen from outside at a step.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) step: Step,
    pub(super) now: Moment,
    pub(super) answer: Answer,
    pub(super) change: Option<Change>,
    pub(super) active: Option<MemberId>,
    pub(super) looks: Vec<Look>,
    pub(super) standings: Vec<Option<Standing>>,
}

impl Record {
    pub(super) fn ids(&self) -> impl Iterator<Item = MemberId> + use<> {
        (0..self.looks.len() as u32).map(MemberId)
    }

    pub(super) fn look(&self, id: MemberId) -> Look {
        self.looks[id.0 as usize]
    }

    pub(super) fn is_open(&self, id: MemberId) -> bool {
        self.look(id).grade != Grade::Unhealthy && !self.look(id).is_shut
    }

    pub(super) fn is_up(&self, id: MemberId) -> bool {
        self.standing(id) == Some(Standing::Up)
    }

    pub(super) fn is_out(&self, id: MemberId) -> bool {
        matches!(self.standing(id), Some(Standing::Out { .. }))
    }

    pub(super) fn standing(&self, id: MemberId) -> Option<Standing> {
        self.standings.get(id.0 as usize).copied().flatten()
    }
}

/// Runs steps on a roster of these members; the first record is of its beginning.
pub(super) fn history(rules: Rules, first: &[((u32, u32), bool)], steps: &[Step]) -> Vec<Record> {
    let mut world = World::new(&[]);
    world.rules = rules;
    for (rank, has_catch_up) in first {
        world.add(*rank, *has_catch_up);
    }
    let mut records = vec![];
    for step in std::iter::once(&Step::Pass(std::time::Duration::ZERO)).chain(steps) {
        if is_about_somebody(step, &world) {
            let outcome = world.step(step);
            let ids = (0..world.looks.len() as u32).map(MemberId);
            records.push(Record {
                step: step.clone(),
                now: world.now,
                answer: outcome.answer,
                change: outcome.change,
                active: world.active(),
                looks: world.looks.clone(),
                standings: ids.map(|id| world.roster.standing(id)).collect(),
            });
        }
    }
    records
}
