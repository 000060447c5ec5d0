use super::world::{A, B, C, RULES, SECOND, World};
use crate::logic::{health::Grade, roster::Trigger};

#[test]
fn who_is_out_is_checked_every_interval() {
    let mut world = World::new(&[(0, 1), (1, 1)]);
    world.leave(A, Trigger::Timeout);
    assert!(world.due().checks.is_empty());
    for _ in 0..5 {
        let at = world.due().at;
        assert_eq!(at, world.now + SECOND);
        world.now = at;
        assert_eq!(world.due().checks, [A]);
        assert!(world.due().checks.is_empty(), "not twice at the same time");
        world.bad(A);
    }
}

#[test]
fn a_check_comes_at_the_very_end_of_the_wait() {
    let mut world = World::new(&[(0, 1), (1, 1)]);
    world.rules.recovery = RULES.recovery.check_every(7 * SECOND);
    world.leave(A, Trigger::Timeout);
    world.pass(7 * SECOND);
    let mut times = vec![];
    while !world.is_up(A) {
        for id in world.due().checks {
            times.push((world.now - (crate::logic::Moment::ORIGIN + 3_600 * SECOND)).as_secs());
            world.good(id);
        }
        world.now = world.due().at;
    }
    assert_eq!(times, [7, 14, 17]);
}

#[test]
fn a_check_that_never_ends_does_not_stop_the_checks() {
    let mut world = World::new(&[(0, 1), (1, 1)]);
    world.leave(A, Trigger::Timeout);
    world.pass(SECOND);
    assert_eq!(world.due().checks, [A]);
    world.pass(59 * SECOND);
    assert!(world.due().checks.is_empty());
    world.pass(SECOND);
    assert_eq!(world.due().checks, [A]);
}

#[test]
fn a_check_without_a_verdict_is_made_again_after_an_interval() {
    let mut world = World::new(&[(0, 1), (1, 1)]);
    world.leave(A, Trigger::Timeout);
    world.pass(SECOND);
    assert_eq!(world.due().checks, [A]);
    world.roster.abandoned(A);
    assert!(world.due().checks.is_empty());
    world.pass(SECOND);
    assert_eq!(world.due().checks, [A]);
}

#[test]
fn who_is_shut_is_not_checked() {
    let mut world = World::new(&[(0, 1), (1, 1)]);
    world.shut(A, true);
    world.pass(10 * SECOND);
    assert!(world.due().checks.is_empty());
    world.look(A).is_shut = false;
    assert_eq!(world.due().checks, [A]);
}

#[test]
fn when_nobody_serves_all_are_checked_at_once() {
    let mut world = World::new(&[(0, 1), (1, 1)]);
    world.leave(A, Trigger::Timeout);
    world.lose(B);
    assert_eq!(world.due().checks, [A, B]);
    world.bad(A);
    world.bad(B);
    assert!(world.due().checks.is_empty(), "but no sooner than an interval after the last time");
    assert_eq!(world.due().at, world.now + SECOND);
}

#[test]
fn who_is_monitored_is_not_tried_and_who_is_not_is_not_checked() {
    let mut world = World::new(&[(0, 1), (0, 1), (1, 1)]);
    world.look(B).is_monitored = false;
    world.leave(A, Trigger::Timeout);
    world.leave(B, Trigger::Timeout);
    world.pass(SECOND);
    assert_eq!(world.due().checks, [A]);
    assert_eq!((world.trial(), world.trial()), (Some(B), None));
}

fn unmonitored(ranks: &[(u32, u32)]) -> World {
    let mut world = World::new(ranks);
    world.looks.iter_mut().for_each(|look| {
        (look.is_monitored, look.grade) = (false, Grade::Unknown);
    });
    world
}

#[test]
fn a_trial_is_not_given_twice_before_its_verdict() {
    let mut world = unmonitored(&[(0, 1), (1, 1)]);
    world.leave(A, Trigger::Timeout);
    assert_eq!(world.trial(), None);
    world.pass(SECOND);
    assert_eq!((world.trial(), world.trial()), (Some(A), None));
    world.pass(30 * SECOND);
    world.roster.abandoned(A);
    assert_eq!((world.trial(), world.trial()), (Some(A), None));
    world.good(A);
    assert_eq!(world.trial(), None);
    world.pass(SECOND);
    assert_eq!(world.trial(), Some(A));
}

#[test]
fn trials_that_fail_become_rarer_until_they_are_a_delay_apart() {
    let mut world = unmonitored(&[(0, 1), (1, 1)]);
    world.leave(A, Trigger::Timeout);
    let mut times = vec![];
    for second in 1..=60 {
        world.pass(SECOND);
        if let Some(id) = world.trial() {
            times.push(second);
            world.bad(id);
        }
    }
    assert_eq!(times, [1, 3, 7, 15, 25, 35, 45, 55]);
}

#[test]
fn trials_that_succeed_bring_a_member_back_after_the_wait() {
    let mut world = unmonitored(&[(0, 1), (1, 1)]);
    world.leave(A, Trigger::Timeout);
    let (mut seconds, mut trials) = (0, 0);
    while world.active() != Some(A) {
        world.pass(SECOND);
        seconds += 1;
        if let Some(id) = world.trial() {
            trials += 1;
            world.good(id);
        }
    }
    assert_eq!((seconds, trials), (11, 11));
}

#[test]
fn a_trial_is_not_given_to_a_worse_tier_nor_to_who_is_shut_or_unhealthy() {
    let mut world = unmonitored(&[(1, 5), (1, 1), (2, 1), (0, 1), (0, 1)]);
    for id in [1, 2, 3, 4] {
        world.leave(crate::logic::roster::MemberId(id), Trigger::Timeout);
    }
    assert_eq!(world.active(), Some(A));
    (world.looks[3].is_shut, world.looks[4].grade) = (true, Grade::Unhealthy);
    world.looks[4].is_monitored = true;
    world.pass(60 * SECOND);
    assert_eq!(world.trial(), Some(B), "the same tier: it comes back as a spare");
    assert_eq!(world.trial(), None);
    world.looks[3].is_shut = false;
    assert_eq!(world.trial().map(|id| id.0), Some(3));
}

#[test]
fn when_nobody_serves_a_trial_is_given_at_once_and_then_every_interval() {
    let mut world = unmonitored(&[(0, 1), (1, 1), (2, 1)]);
    for id in [A, B, C] {
        world.lose(id);
    }
    assert_eq!([(); 4].map(|()| world.trial()), [Some(A), Some(B), Some(C), None]);
    for _ in 0..5 {
        world.bad(A);
        assert_eq!(world.trial(), None);
        world.pass(SECOND);
        assert_eq!(world.trial(), Some(A));
    }
}

#[test]
fn when_to_look_again_includes_the_next_trial() {
    let mut world = unmonitored(&[(0, 1), (1, 1)]);
    world.leave(A, Trigger::Timeout);
    world.pass(SECOND / 4);
    let at = world.due().at;
    assert_eq!(at, world.now + SECOND * 3 / 4);
    let looks = world.looks.clone();
    let trial_at = world.roster.trial_at(world.now, &world.rules, &|id| looks[id.0 as usize]);
    assert_eq!(trial_at, Some((at, at + SECOND)), "a call that may not be repeated comes later");
}

#[test]
fn who_is_unhealthy_and_not_monitored_is_tried_like_any_other() {
    let mut world = unmonitored(&[(0, 1), (1, 1)]);
    world.grade(A, Grade::Unhealthy);
    assert_eq!((world.active(), world.trial()), (Some(B), None));
    world.pass(SECOND);
    assert_eq!((world.trial(), world.next(&[B])), (Some(A), None), "but not on the ordinary way");
    world.look(B).is_shut = true;
    world.settle();
    world.bad(A);
    world.pass(SECOND);
    assert_eq!((world.active(), world.trial()), (None, Some(A)));
}

#[test]
fn who_is_preferred_by_hand_is_tried_whatever_its_tier() {
    let mut world = unmonitored(&[(0, 1), (1, 1), (1, 1)]);
    let looks = world.looks.clone();
    let look = |id: crate::logic::roster::MemberId| looks[id.0 as usize];
    world.roster.fail_over(B, None, world.now, &look).expect("is known");
    world.settle();
    world.leave(B, Trigger::Timeout);
    world.leave(C, Trigger::Timeout);
    assert_eq!(world.active(), Some(A));
    world.pass(SECOND);
    assert_eq!((world.trial(), world.trial()), (Some(B), None));
}

#[test]
fn a_call_with_nowhere_else_to_go_and_any_call_after_a_while_of_failures_may_try_at_once() {
    let mut world = unmonitored(&[(1, 1), (0, 1), (2, 1)]);
    for id in [B, A, C] {
        world.leave(id, Trigger::Timeout);
    }
    assert_eq!((world.active(), world.trial()), (Some(C), None));
    assert_eq!([(); 3].map(|()| world.trial_of_one(true)), [Some(B), Some(A), None]);
    world.bad(A);
    world.bad(B);
    world.pass(SECOND);
    let looks = world.looks.clone();
    let trial_at = world.roster.trial_at(world.now, &world.rules, &|id| looks[id.0 as usize]);
    assert_eq!(trial_at, Some((world.now, world.now)), "nobody serves well");
    assert_eq!([(); 3].map(|()| world.trial()), [Some(B), Some(A), None]);
}
