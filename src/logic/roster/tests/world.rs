use std::time::Duration;

use crate::logic::{
    Backoff, Moment, Ratio,
    health::Grade,
    roster::{Change, Due, Look, MemberId, Rank, Recovery, Roster, Rules, Standing, Trigger},
};

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const A: MemberId = MemberId(0);
pub(super) const B: MemberId = MemberId(1);
pub(super) const C: MemberId = MemberId(2);

pub(super) const HEALTHY: Look =
    Look { grade: Grade::Healthy, is_shut: false, score: 1.0, is_monitored: true };

/// The defaults, with a wait of 10, 20, 40 … s that is not jittered.
pub(super) const RULES: Rules = Rules {
    recovery: Recovery::new()
        .delay(Backoff::growing(Duration::from_secs(10), Duration::from_secs(300)))
        .first_share(Ratio::percent(10)),
    leaves_degraded: true,
    cascade_within: Duration::from_secs(10),
};

/// A roster with everything around it, that settles after each step.
pub(super) struct World {
    pub(super) roster: Roster,
    pub(super) now: Moment,
    pub(super) rules: Rules,
    pub(super) looks: Vec<Look>,
    pub(super) changes: Vec<Change>,
}

impl World {
    /// Members of these tiers and weights, all monitored and healthy.
    pub(super) fn new(ranks: &[(u32, u32)]) -> Self {
        let mut world = Self {
            roster: Roster::new(),
            now: Moment::ORIGIN + 3_600 * SECOND,
            rules: RULES,
            looks: vec![],
            changes: vec![],
        };
        for rank in ranks {
            world.add(*rank, false);
        }
        world.settle();
        world
    }

    pub(super) fn add(&mut self, (tier, weight): (u32, u32), has_catch_up: bool) -> MemberId {
        let id = MemberId(self.looks.len() as u32);
        self.looks.push(HEALTHY);
        self.roster.add(id, Rank { tier, weight }, has_catch_up, self.now);
        id
    }

    pub(super) fn settle(&mut self) -> Option<Change> {
        let looks = &self.looks;
        let change = self.roster.settle(self.now, &self.rules, &|id| looks[id.0 as usize]);
        self.changes.extend(change);
        change
    }

    pub(super) fn look(&mut self, id: MemberId) -> &mut Look {
        &mut self.looks[id.0 as usize]
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    pub(super) fn grade(&mut self, id: MemberId, grade: Grade) -> Option<Change> {
        self.look(id).grade = grade;
        self.settle()
    }

    pub(super) fn shut(&mut self, id: MemberId, is_shut: bool) -> Option<Change> {
        self.look(id).is_shut = is_shut;
        self.settle()
    }

    /// A call that began just now fails.
    pub(super) fn leave(&mut self, id: MemberId, trigger: Trigger) -> Option<Change> {
        let looks = &self.looks;
        let look = |id: MemberId| looks[id.0 as usize];
        self.roster.leave(id, trigger, self.now, self.now, &self.rules, &look);
        self.settle()
    }

    /// Its health calls it unhealthy, and knows nothing from then on.
    pub(super) fn lose(&mut self, id: MemberId) -> Option<Change> {
        let change = self.grade(id, Grade::Unhealthy);
        self.look(id).grade = Grade::Unknown;
        change
    }

    pub(super) fn good(&mut self, id: MemberId) -> Option<Change> {
        self.roster.good(id, self.now, &self.rules, 0.0);
        self.settle()
    }

    pub(super) fn bad(&mut self, id: MemberId) -> Option<Change> {
        self.roster.bad(id);
        self.settle()
    }

    pub(super) fn due(&mut self) -> Due {
        let looks = &self.looks;
        self.roster.due(self.now, &self.rules, &|id| looks[id.0 as usize])
    }

    pub(super) fn trial(&mut self) -> Option<MemberId> {
        self.trial_of_one(false)
    }

    pub(super) fn trial_of_one(&mut self, is_stranded: bool) -> Option<MemberId> {
        let looks = &self.looks;
        self.roster.trial(is_stranded, self.now, &self.rules, &|id| looks[id.0 as usize])
    }

    pub(super) fn next(&self, tried: &[MemberId]) -> Option<MemberId> {
        self.roster.next(tried, &self.rules, &|id| self.looks[id.0 as usize])
    }

    pub(super) fn active(&self) -> Option<MemberId> {
        self.roster.active()
    }

    pub(super) fn standing(&self, id: MemberId) -> Standing {
        self.roster.standing(id).expect("is a member")
    }

    pub(super) fn is_up(&self, id: MemberId) -> bool {
        self.standing(id) == Standing::Up
    }

    /// Good checks every second until one brings the member up; how long that took.
    pub(super) fn until_up(&mut self, id: MemberId) -> Duration {
        let begun = self.now;
        while !self.is_up(id) {
            self.good(id);
            if !self.is_up(id) {
                self.pass(SECOND);
            }
            assert!(self.now - begun < 10_000 * SECOND, "never comes back");
        }
        self.now - begun
    }
}

pub(super) fn change(
    from: Option<MemberId>,
    to: Option<MemberId>,
    trigger: Trigger,
) -> Option<Step> {
    Some(Step { from, to, trigger })
}

/// A change without its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    from: Option<MemberId>,
    to: Option<MemberId>,
    trigger: Trigger,
}

pub(super) fn step(change: Option<Change>) -> Option<Step> {
    change.map(|Change { from, to, trigger, .. }| Step { from, to, trigger })
}
