use std::sync::Arc;

use super::{Target, Weights};
use crate::{
    event::{Grade, Name},
    logic::{
        Moment,
        roster::{Look, MemberId},
    },
};

/// The backends of a failover.
#[derive(Debug, Default)]
pub(super) struct Members {
    members: Vec<Member>,
    added: u32,
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) target: Arc<Target>,
    /// What went wrong with it last.
    pub(super) why: Option<Name>,
    /// Its failures in a row are those since it came into use at this moment.
    pub(super) counts_since: Option<Moment>,
}

impl Members {
    /// A number that no backend had before.
    pub(super) fn next_id(&mut self) -> MemberId {
        let id = MemberId(self.added);
        self.added += 1;
        id
    }

    pub(super) fn push(&mut self, target: Arc<Target>) {
        self.members.push(Member { target, why: None, counts_since: None });
    }

    pub(super) fn remove(&mut self, id: MemberId) -> Option<Member> {
        let at = self.members.iter().position(|member| member.target.id == id)?;
        Some(self.members.remove(at))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Member> {
        self.members.iter()
    }

    pub(super) fn get(&self, id: MemberId) -> Option<&Member> {
        self.members.iter().find(|member| member.target.id == id)
    }

    pub(super) fn get_mut(&mut self, id: MemberId) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.target.id == id)
    }

    pub(super) fn target(&self, id: MemberId) -> Option<&Arc<Target>> {
        self.get(id).map(|member| &member.target)
    }

    pub(super) fn named(&self, name: &str) -> Option<&Arc<Target>> {
        let is_it = |member: &&Member| member.target.name.as_str() == name;
        self.members.iter().find(is_it).map(|member| &member.target)
    }

    /// How each of them looks now, those that are in use compared with each other.
    pub(super) fn looks(
        &self,
        weights: Weights,
        is_in_use: &dyn Fn(MemberId) -> bool,
    ) -> impl Fn(MemberId) -> Look + use<> {
        let is_usable = |target: &Target| {
            is_in_use(target.id) && target.grade() != Grade::Unhealthy && !target.is_shut()
        };
        let usable = self.iter().map(|member| &member.target).filter(|it| is_usable(it));
        let latencies = usable.filter_map(|target| target.latency());
        let best = latencies.min_by(f64::total_cmp);
        let look = |target: &Target| Look {
            grade: target.grade(),
            is_shut: target.is_shut(),
            score: weights.score(target.rank.weight, target.latency(), best, target.success_rate()),
            is_monitored: target.is_monitored(),
        };
        let looks: Vec<_> =
            self.members.iter().map(|member| (member.target.id, look(&member.target))).collect();
        move |id| {
            let look = looks.iter().find(|(of, _)| *of == id);
            look.expect("every member of the roster is a backend").1
        }
    }
}
