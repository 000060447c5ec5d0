use std::sync::Arc;

use super::Target;
use crate::{
    event::{Grade, Name},
    failover::Weights,
    logic::{
        Moment,
        roster::{Look, MemberId},
    },
};

/// The backends of a failover.
#[derive(Debug, Default)]
pub(crate) struct Members {
    members: Vec<Member>,
    added: u32,
}

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) target: Arc<Target>,
    /// What went wrong with it last.
    pub(crate) why: Option<Name>,
    /// Its failures in a row are those since it came into use at this moment.
    pub(crate) counts_since: Option<Moment>,
}

impl Members {
    /// A number that no backend had before.
    pub(crate) fn next_id(&mut self) -> MemberId {
        let id = MemberId(self.added);
        self.added += 1;
        id
    }

    pub(crate) fn push(&mut self, target: Arc<Target>) {
        self.members.push(Member { target, why: None, counts_since: None });
    }

    pub(crate) fn remove(&mut self, id: MemberId) -> Option<Member> {
        let at = self.members.iter().position(|member| member.target.id == id)?;
        Some(self.members.remove(at))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Member> {
        self.members.iter()
    }

    pub(crate) fn get(&self, id: MemberId) -> Option<&Member> {
        self.members.iter().find(|member| member.target.id == id)
    }

    pub(crate) fn get_mut(&mut self, id: MemberId) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.target.id == id)
    }

    pub(crate) fn target(&self, id: MemberId) -> Option<&Arc<Target>> {
        self.get(id).map(|member| &member.target)
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Arc<Target>> {
        let is_it = |member: &&Member| member.target.name.as_str() == name;
        self.members.iter().find(is_it).map(|member| &member.target)
    }

    /// How each of them looks now, those that are in use compared with each other.
    pub(crate) fn looks(
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
