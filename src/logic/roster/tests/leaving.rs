use super::world::{A, B, C, SECOND, World, change, step};
use crate::logic::{
    health::Grade,
    roster::{Standing, Trigger},
};

#[test]
fn a_failed_call_makes_the_next_best_serve() {
    for trigger in [Trigger::Connection, Trigger::Timeout] {
        let mut world = World::new(&[(0, 1), (1, 1)]);
        assert_eq!(step(world.leave(A, trigger)), change(Some(A), Some(B), trigger));
        let out = Standing::Out { trigger, since: world.now, good: 0, back_at: None };
        assert_eq!(world.standing(A), out);
    }
}

#[test]
fn a_change_tells_when_the_failed_call_began() {
    let mut world = World::new(&[(0, 1), (1, 1)]);
    world.pass(60 * SECOND);
    let begun = world.now;
    world.pass(SECOND);
    let look = |_| super::world::HEALTHY;
    world.roster.leave(A, Trigger::Timeout, begun, world.now, &world.rules, &look);
    assert_eq!(world.settle().map(|change| change.since), Some(begun));
}

#[test]
fn who_is_unhealthy_or_shut_is_left_at_once() {
    let mut world = World::new(&[(0, 1), (1, 1), (2, 1)]);
    let unhealthy = world.grade(A, Grade::Unhealthy);
    assert_eq!(step(unhealthy), change(Some(A), Some(B), Trigger::Health));
    world.pass(60 * SECOND);
    assert_eq!(step(world.shut(B, true)), change(Some(B), Some(C), Trigger::Circuit));
}

#[test]
fn who_is_unhealthy_while_another_serves_is_out_too() {
    let mut world = World::new(&[(0, 1), (1, 1), (2, 1)]);
    assert_eq!(world.grade(B, Grade::Unhealthy), None);
    world.grade(B, Grade::Healthy);
    assert!(!world.is_up(B), "comes back without a check");
    world.leave(A, Trigger::Timeout);
    assert_eq!(world.active(), Some(C));
}

#[test]
fn who_is_degraded_is_left_for_one_that_is_not() {
    let mut world = World::new(&[(0, 1), (1, 1)]);
    let degraded = world.grade(A, Grade::Degraded);
    assert_eq!(step(degraded), change(Some(A), Some(B), Trigger::Degradation));
}

#[test]
fn who_is_degraded_is_kept_if_that_is_the_setting() {
    let mut world = World::new(&[(0, 1), (1, 1)]);
    world.rules.leaves_degraded = false;
    assert_eq!(world.grade(A, Grade::Degraded), None);
}

#[test]
fn who_is_degraded_is_kept_if_all_are() {
    let mut world = World::new(&[(0, 1), (1, 1)]);
    world.look(B).grade = Grade::Degraded;
    assert_eq!(world.grade(A, Grade::Degraded), None);
    let heals = world.grade(B, Grade::Healthy);
    assert_eq!(step(heals), change(Some(A), Some(B), Trigger::Degradation));
}

#[test]
fn who_was_left_as_degraded_is_the_last_resort() {
    let mut world = World::new(&[(0, 1), (1, 1)]);
    world.grade(A, Grade::Degraded);
    world.pass(60 * SECOND);
    assert_eq!(step(world.leave(B, Trigger::Timeout)), change(Some(B), Some(A), Trigger::Timeout));
    assert!(!world.is_up(A));
    let ends = world.grade(A, Grade::Unhealthy);
    assert_eq!(step(ends), change(Some(A), None, Trigger::Cascade));
}

#[test]
fn who_is_out_has_left_unless_it_is_a_last_resort() {
    let mut world = World::new(&[(0, 1), (0, 1), (1, 1)]);
    world.grade(A, Grade::Degraded);
    world.leave(B, Trigger::Timeout);
    assert_eq!([A, B, C].map(|id| world.roster.has_left(id)), [false, true, false]);
    world.grade(A, Grade::Unhealthy);
    assert!(world.roster.has_left(A));
    world.roster.remove(B);
    assert!(!world.roster.has_left(B), "calls that a removed one has are not disturbed");
}

#[test]
fn a_last_resort_is_left_when_a_good_one_is_back() {
    let mut world = World::new(&[(0, 1), (1, 1)]);
    world.grade(A, Grade::Degraded);
    world.leave(B, Trigger::Timeout);
    assert_eq!(world.active(), Some(A));
    world.until_up(B);
    let last = world.changes.last().copied();
    assert_eq!(step(last), change(Some(A), Some(B), Trigger::Recovery));
}

#[test]
fn who_dies_after_it_was_left_as_degraded_is_no_resort() {
    let mut world = World::new(&[(0, 1), (1, 1)]);
    world.grade(A, Grade::Degraded);
    world.grade(A, Grade::Unhealthy);
    world.grade(A, Grade::Degraded);
    let dies = world.grade(B, Grade::Unhealthy);
    assert_eq!(step(dies), change(Some(B), None, Trigger::Cascade));
    assert_eq!(world.next(&[]), None);
}

#[test]
fn one_that_fails_soon_after_it_took_over_is_a_cascade() {
    let mut world = World::new(&[(0, 1), (1, 1), (2, 1)]);
    world.leave(A, Trigger::Timeout);
    world.pass(10 * SECOND - SECOND / 1_000);
    assert_eq!(step(world.leave(B, Trigger::Timeout)), change(Some(B), Some(C), Trigger::Cascade));
}

#[test]
fn one_that_fails_later_or_did_not_take_over_is_no_cascade() {
    let mut world = World::new(&[(0, 1), (1, 1), (2, 1)]);
    assert_eq!(step(world.leave(A, Trigger::Timeout)), change(Some(A), Some(B), Trigger::Timeout));
    world.pass(10 * SECOND);
    assert_eq!(step(world.leave(B, Trigger::Timeout)), change(Some(B), Some(C), Trigger::Timeout));
    world.until_up(A);
    let last = step(world.leave(A, Trigger::Timeout));
    assert_eq!(last, change(Some(A), Some(C), Trigger::Timeout));
}

#[test]
fn a_call_that_began_before_a_member_came_back_does_not_make_it_leave() {
    let mut world = World::new(&[(0, 1), (1, 1)]);
    let begun = world.now;
    world.leave(A, Trigger::Timeout);
    world.until_up(A);
    let look = |_| super::world::HEALTHY;
    world.roster.leave(A, Trigger::Timeout, begun, world.now, &world.rules, &look);
    assert_eq!((world.settle(), world.is_up(A)), (None, true));
}

#[test]
fn another_failure_of_one_that_is_out_changes_nothing() {
    let mut world = World::new(&[(0, 1), (1, 1)]);
    world.leave(A, Trigger::Timeout);
    world.pass(SECOND);
    world.good(A);
    let out = world.standing(A);
    assert_eq!(world.leave(A, Trigger::Connection), None);
    assert_eq!(world.standing(A), out);
}

#[test]
fn who_is_removed_serves_no_more() {
    let mut world = World::new(&[(0, 1), (1, 1)]);
    world.roster.remove(A);
    let removed = step(world.settle());
    assert_eq!(removed, change(Some(A), Some(B), Trigger::Membership));
    assert_eq!(world.roster.standing(A), None);
    world.roster.remove(B);
    assert_eq!(step(world.settle()), change(Some(B), None, Trigger::Membership));
    world.roster.remove(B);
    assert_eq!(world.leave(B, Trigger::Timeout), None);
    assert_eq!((world.good(B), world.bad(B)), (None, None));
}

#[test]
fn who_fails_is_kept_while_nobody_else_can_serve() {
    let mut world = World::new(&[(0, 1), (1, 1)]);
    world.leave(A, Trigger::Timeout);
    for trigger in [Trigger::Connection, Trigger::Timeout] {
        assert_eq!(world.leave(B, trigger), None);
        assert_eq!((world.active(), world.is_up(B)), (Some(B), true));
        assert_eq!(world.next(&[]), Some(B));
    }
    assert_eq!(step(world.shut(B, true)), change(Some(B), None, Trigger::Cascade));
}

#[test]
fn who_has_only_failed_for_a_while_is_left_for_one_good_check() {
    let mut world = World::new(&[(0, 1), (1, 1)]);
    world.pass(20 * SECOND);
    world.leave(A, Trigger::Timeout);
    world.pass(20 * SECOND);
    let first = world.now;
    world.leave(B, Trigger::Connection);
    world.pass(SECOND / 2);
    world.leave(B, Trigger::Timeout);
    assert_eq!(world.good(A), None, "it may have been one error among many answers");
    world.pass(SECOND / 2);
    let left = world.settle();
    assert_eq!(step(left), change(Some(B), Some(A), Trigger::Connection));
    assert_eq!(left.map(|change| change.since), Some(first), "the first failure");
    assert!(!world.is_up(B));
}

/// A degraded one with a good check came back by its own failures, and stayed up beside its successor.
#[test]
fn who_is_in_doubt_does_not_rescue_itself() {
    let mut world = World::new(&[(0, 1), (0, 1)]);
    world.grade(A, Grade::Degraded);
    world.lose(B);
    assert_eq!(world.active(), Some(A), "better than nobody");
    world.good(A);
    world.pass(20 * SECOND);
    world.leave(A, Trigger::Connection);
    world.pass(SECOND);
    world.settle();
    assert!(!world.is_up(A));
    assert_eq!(world.active(), Some(A), "there is still nobody else");
}

#[test]
fn who_answers_after_a_failure_is_not_left_for_one_good_check() {
    let mut world = World::new(&[(0, 1), (1, 1)]);
    world.leave(A, Trigger::Timeout);
    world.leave(B, Trigger::Timeout);
    assert!(world.roster.is_in_doubt());
    world.roster.answered(A);
    assert!(world.roster.is_in_doubt(), "it was another one");
    world.roster.answered(B);
    assert!(!world.roster.is_in_doubt());
    world.pass(60 * SECOND);
    assert_eq!((world.good(A), world.active()), (None, Some(B)));
}

#[test]
fn a_call_of_before_its_return_does_not_put_the_last_one_in_doubt() {
    let mut world = World::new(&[(0, 1)]);
    let begun = world.now;
    world.lose(A);
    world.pass(SECOND);
    world.good(A);
    let look = |_| super::world::HEALTHY;
    world.roster.leave(A, Trigger::Timeout, begun, world.now, &world.rules, &look);
    assert!(!world.roster.is_in_doubt());
}
