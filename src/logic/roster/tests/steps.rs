use std::time::Duration;

use proptest::{prelude::*, sample::select};

use super::world::World;
use crate::logic::{
    Backoff, Moment, Ratio,
    health::Grade,
    roster::{Change, Due, Look, MemberId, Recovery, Rules, Trigger, Unfit},
};

/// What may befall a roster.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Pass(Duration),
    Look(MemberId, Look),
    /// A call that began so long ago fails.
    Leave(MemberId, Trigger, Duration),
    Good(MemberId, f64),
    Bad(MemberId),
    Abandoned(MemberId),
    CaughtUp(MemberId, bool),
    Add((u32, u32), bool),
    Remove(MemberId),
    FailOver(MemberId, Option<Duration>),
    Recover,
    Due,
    /// Of a call that has nowhere else to go, or not.
    Trial(bool),
    Answered(MemberId),
    Next(Vec<MemberId>),
}

/// What a step answers, and the change that followed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) answer: Answer,
    pub(super) change: Option<Change>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    Nothing,
    Due(Due),
    Member(Option<MemberId>),
    FailOver(Result<(), Unfit>),
}

impl World {
    pub(super) fn step(&mut self, step: &Step) -> Outcome {
        let looks = self.looks.clone();
        let look = |id: MemberId| looks[id.0 as usize];
        let (roster, now, rules) = (&mut self.roster, self.now, self.rules);
        let mut answer = Answer::Nothing;
        match step {
            Step::Pass(time) => self.pass(*time),
            Step::Look(id, look) => *self.look(*id) = *look,
            Step::Leave(id, trigger, ago) => {
                roster.leave(*id, *trigger, ago_of(now, *ago), now, &rules, &look)
            }
            Step::Good(id, random) => roster.good(*id, now, &rules, *random),
            Step::Bad(id) => roster.bad(*id),
            Step::Abandoned(id) => roster.abandoned(*id),
            Step::CaughtUp(id, is_ok) => roster.caught_up(*id, *is_ok, now),
            Step::Add(rank, has_catch_up) => drop(self.add(*rank, *has_catch_up)),
            Step::Remove(id) => roster.remove(*id),
            Step::FailOver(id, within) => {
                let until = within.map(|within| now + within);
                answer = Answer::FailOver(roster.fail_over(*id, until, now, &look));
            }
            Step::Recover => roster.recover(now, &look),
            Step::Due => answer = Answer::Due(self.due()),
            Step::Trial(is_stranded) => {
                answer = Answer::Member(self.trial_of_one(*is_stranded));
            }
            Step::Answered(id) => roster.answered(*id),
            Step::Next(tried) => answer = Answer::Member(self.next(tried)),
        }
        Outcome { answer, change: self.settle() }
    }
}

pub(super) fn ago_of(now: Moment, ago: Duration) -> Moment {
    Moment::ORIGIN + ((now - Moment::ORIGIN) - ago)
}

/// As many members as there are ids in use.
pub(super) const MEMBERS: u32 = 6;

fn id() -> impl Strategy<Value = MemberId> + Clone {
    (0..MEMBERS).prop_map(MemberId)
}

fn time(most: u64) -> impl Strategy<Value = Duration> {
    // Whole seconds meet the ends of waits, others do not.
    prop_oneof![
        (0..=most).prop_map(Duration::from_secs),
        (0..=most * 1_000).prop_map(Duration::from_millis)
    ]
}

pub(super) fn look() -> impl Strategy<Value = Look> {
    let grade = select(vec![
        Grade::Healthy,
        Grade::Healthy,
        Grade::Healthy,
        Grade::Unknown,
        Grade::Degraded,
        Grade::Unhealthy,
    ]);
    let score = select(vec![0.5, 1.0, 1.0, 2.0]);
    (grade, prop::bool::weighted(0.1), score, prop::bool::weighted(0.7)).prop_map(
        |(grade, is_shut, score, is_monitored)| Look { grade, is_shut, score, is_monitored },
    )
}

pub(super) fn rank() -> impl Strategy<Value = (u32, u32)> {
    (0u32..3, 1u32..3)
}

/// What is not done by hand.
pub(super) fn incident() -> impl Strategy<Value = Step> {
    let trigger = select(vec![Trigger::Connection, Trigger::Timeout]);
    let ago = prop_oneof![3 => Just(Duration::ZERO), 1 => time(20)];
    prop_oneof![
        6 => time(5).prop_map(Step::Pass),
        1 => time(100).prop_map(Step::Pass),
        4 => (id(), look()).prop_map(|(id, look)| Step::Look(id, look)),
        4 => (id(), trigger, ago).prop_map(|(id, trigger, ago)| Step::Leave(id, trigger, ago)),
        8 => (id(), 0.0..1.0).prop_map(|(id, random)| Step::Good(id, random)),
        1 => id().prop_map(Step::Bad),
        1 => id().prop_map(Step::Abandoned),
        2 => (id(), prop::bool::weighted(0.7)).prop_map(|(id, is_ok)| Step::CaughtUp(id, is_ok)),
        3 => Just(Step::Due),
        3 => prop::bool::weighted(0.2).prop_map(Step::Trial),
        2 => id().prop_map(Step::Answered),
        2 => prop::collection::vec(id(), 0..3).prop_map(Step::Next),
    ]
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let within = prop::option::weighted(0.7, time(60));
    prop_oneof![
        30 => incident(),
        1 => (rank(), any::<bool>()).prop_map(|(rank, has_catch_up)| Step::Add(rank, has_catch_up)),
        1 => id().prop_map(Step::Remove),
        1 => (id(), within).prop_map(|(id, within)| Step::FailOver(id, within)),
        1 => Just(Step::Recover),
    ]
}

pub(super) fn rules() -> impl Strategy<Value = Rules> {
    let times = (1u64..12, 1u64..5, 1u64..8, 0u64..90);
    (times, 1u32..4, 0u32..=30, any::<bool>(), prop::option::of(1u64..60), 0u64..20).prop_map(
        |((first, more, every, stable), threshold, jitter, leaves_degraded, gradual, cascade)| {
            let seconds = Duration::from_secs;
            let delay = Backoff::growing(seconds(first), seconds(first * more));
            let recovery = Recovery::new()
                .threshold(threshold)
                .delay(delay.jitter(Ratio::percent(jitter)))
                .check_every(seconds(every))
                .stable_after(seconds(stable));
            let recovery = gradual.map_or(recovery, |time| recovery.gradual(seconds(time)));
            Rules { recovery, leaves_degraded, cascade_within: seconds(cascade) }
        },
    )
}

/// The tier and weight of a member, and whether it has a catch-up.
pub(super) type First = ((u32, u32), bool);

/// Rules, and the members that there are before the first settling.
pub(super) fn world() -> impl Strategy<Value = (Rules, Vec<First>)> {
    (rules(), prop::collection::vec((rank(), prop::bool::weighted(0.3)), 0..5))
}

/// Steps about members that were never added are left out.
pub(super) fn is_about_somebody(step: &Step, world: &World) -> bool {
    let known = |id: &MemberId| (id.0 as usize) < world.looks.len();
    match step {
        Step::Look(id, _)
        | Step::Leave(id, ..)
        | Step::Good(id, _)
        | Step::Bad(id)
        | Step::Abandoned(id)
        | Step::Answered(id)
        | Step::CaughtUp(id, _)
        | Step::Remove(id)
        | Step::FailOver(id, _) => known(id),
        Step::Next(tried) => tried.iter().all(known),
        Step::Add(..) => world.looks.len() < MEMBERS as usize,
        Step::Pass(_) | Step::Recover | Step::Due | Step::Trial(_) => true,
    }
}
