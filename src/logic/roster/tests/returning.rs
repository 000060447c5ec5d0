use std::time::Duration;

use super::world::{A, B, C, SECOND, World, change, step};
use crate::logic::{
    health::Grade,
    roster::{Standing, Trigger},
};

fn left_for_b() -> World {
    let mut world = World::new(&[(0, 1), (1, 1)]);
    world.leave(A, Trigger::Timeout);
    world
}

#[test]
fn a_member_comes_back_by_the_check_at_the_end_of_its_wait() {
    let mut world = left_for_b();
    world.pass(30 * SECOND);
    let first = world.now;
    for _ in 0..10 {
        assert_eq!(world.good(A), None);
        world.pass(SECOND);
    }
    assert_eq!(world.now, first + 10 * SECOND);
    let back = world.good(A);
    assert_eq!(step(back), change(Some(B), Some(A), Trigger::Recovery));
    assert_eq!(back.map(|change| change.since), Some(first), "the first good check");
}

#[test]
fn good_checks_do_not_shorten_the_wait() {
    let mut world = left_for_b();
    for _ in 0..100 {
        assert_eq!(world.good(A), None);
    }
    world.pass(10 * SECOND - Duration::from_nanos(1));
    assert_eq!(world.good(A), None);
    world.pass(Duration::from_nanos(1));
    assert!(world.good(A).is_some());
}

#[test]
fn the_end_of_the_wait_alone_brings_nobody_back() {
    let mut world = left_for_b();
    world.good(A);
    world.good(A);
    world.good(A);
    world.pass(1_000 * SECOND);
    assert_eq!(world.settle(), None);
}

#[test]
fn a_wait_that_is_over_does_not_replace_good_checks() {
    let mut world = left_for_b();
    world.good(A);
    world.pass(11 * SECOND);
    assert_eq!(world.good(A), None);
    assert!(world.good(A).is_some(), "the third");
}

#[test]
fn one_bad_check_starts_the_row_and_the_wait_anew() {
    let mut world = left_for_b();
    for _ in 0..10 {
        world.good(A);
        world.pass(SECOND);
    }
    world.bad(A);
    let Standing::Out { good: 0, back_at: None, .. } = world.standing(A) else { panic!() };
    assert_eq!(world.until_up(A), 10 * SECOND);
}

#[test]
fn the_wait_grows_each_time_in_a_row_that_a_member_is_left() {
    let mut world = left_for_b();
    for wait in [10, 20, 40, 80, 160, 300, 300] {
        assert_eq!(world.until_up(A), wait * SECOND);
        world.pass(60 * SECOND - Duration::from_nanos(1));
        world.leave(A, Trigger::Timeout);
    }
}

#[test]
fn a_member_that_was_up_long_enough_starts_the_row_of_waits_anew() {
    let mut world = left_for_b();
    world.until_up(A);
    world.leave(A, Trigger::Timeout);
    assert_eq!(world.until_up(A), 20 * SECOND);
    world.pass(60 * SECOND);
    world.leave(A, Trigger::Timeout);
    assert_eq!(world.until_up(A), 10 * SECOND);
}

#[test]
fn what_goes_from_bad_to_worse_is_left_once() {
    let mut world = World::new(&[(0, 1), (1, 1)]);
    world.grade(A, Grade::Degraded);
    world.grade(A, Grade::Unhealthy);
    world.grade(A, Grade::Healthy);
    assert_eq!(world.until_up(A), 10 * SECOND);
}

#[test]
fn the_wait_is_jittered_by_the_random_number_of_the_first_good_check() {
    let mut world = left_for_b();
    world.rules.recovery.delay =
        world.rules.recovery.delay.jitter(crate::logic::Ratio::percent(20));
    world.roster.good(A, world.now, &world.rules, 0.5);
    world.pass(SECOND);
    world.roster.good(A, world.now, &world.rules, 1.0);
    let Standing::Out { back_at, good: 2, .. } = world.standing(A) else { panic!() };
    assert_eq!(back_at, Some(world.now + 8 * SECOND));
}

#[test]
fn a_member_of_the_same_tier_and_weight_does_not_take_its_place_back() {
    let mut world = World::new(&[(0, 1), (0, 1)]);
    world.leave(A, Trigger::Timeout);
    world.until_up(A);
    assert_eq!(world.active(), Some(B));
    assert_eq!(step(world.leave(B, Trigger::Timeout)), change(Some(B), Some(A), Trigger::Timeout));
}

#[test]
fn a_member_of_greater_weight_takes_its_place_back_whatever_its_score() {
    let mut world = World::new(&[(0, 2), (0, 1)]);
    world.leave(A, Trigger::Timeout);
    world.look(A).score = 0.1;
    world.until_up(A);
    assert_eq!(world.active(), Some(A));
}

#[test]
fn a_member_of_a_worse_tier_comes_back_as_a_spare() {
    let mut world = World::new(&[(0, 1), (1, 1), (2, 1)]);
    world.leave(B, Trigger::Timeout);
    assert_eq!(world.until_up(B), 10 * SECOND);
    assert_eq!(world.active(), Some(A));
    world.leave(A, Trigger::Timeout);
    assert_eq!(world.active(), Some(B));
}

#[test]
fn who_was_passed_over_for_its_score_does_not_come_back_later() {
    let mut world = World::new(&[(0, 1), (0, 2), (0, 9)]);
    assert_eq!(world.active(), Some(C));
    world.look(A).score = 2.0;
    world.leave(C, Trigger::Timeout);
    assert_eq!(world.active(), Some(A));
    for _ in 0..100 {
        world.pass(SECOND);
        world.look(B).score = 10.0;
        assert_eq!(world.settle(), None);
    }
}

#[test]
fn who_came_back_as_a_spare_and_was_passed_over_does_not_take_over_later() {
    let mut world = World::new(&[(0, 1), (0, 2), (0, 9)]);
    world.leave(B, Trigger::Timeout);
    world.until_up(B);
    world.look(A).score = 2.0;
    world.leave(C, Trigger::Timeout);
    assert_eq!((world.active(), world.settle()), (Some(A), None));
}

#[test]
fn when_nobody_serves_one_good_check_is_enough() {
    let mut world = left_for_b();
    world.lose(B);
    assert_eq!(world.active(), None);
    world.pass(SECOND);
    world.settle();
    assert_eq!(world.active(), None, "that its health is good is no news");
    assert_eq!(step(world.good(B)), change(None, Some(B), Trigger::Recovery));
}

#[test]
fn when_nobody_serves_a_health_that_is_good_again_is_enough() {
    let mut world = World::new(&[(0, 1)]);
    let dies = world.grade(A, Grade::Unhealthy);
    assert_eq!(step(dies), change(Some(A), None, Trigger::Health));
    assert_eq!(world.grade(A, Grade::Unknown), None);
    let heals = world.grade(A, Grade::Healthy);
    assert_eq!(step(heals), change(None, Some(A), Trigger::Recovery));
}

#[test]
fn when_nobody_serves_who_is_shut_or_unhealthy_does_not_either() {
    let mut world = left_for_b();
    world.grade(B, Grade::Unhealthy);
    world.look(A).is_shut = true;
    assert_eq!((world.good(A), world.good(B)), (None, None));
    assert_eq!(step(world.shut(A, false)), change(None, Some(A), Trigger::Recovery));
}

#[test]
fn a_rescue_does_not_start_the_row_of_waits_anew() {
    let mut world = World::new(&[(0, 1)]);
    world.lose(A);
    world.good(A);
    world.lose(A);
    world.add((1, 1), false);
    world.settle();
    assert_eq!(world.active(), Some(B));
    assert_eq!(world.until_up(A), 20 * SECOND);
}

#[test]
fn a_member_that_is_added_serves_after_its_first_good_check() {
    let mut world = World::new(&[(1, 1)]);
    let new = world.add((0, 1), false);
    assert_eq!(world.settle(), None);
    assert_eq!(world.due().checks, [new]);
    assert_eq!(world.bad(new), None);
    assert_eq!(step(world.good(new)), change(Some(A), Some(new), Trigger::Membership));
}

#[test]
fn a_member_that_is_added_while_nobody_serves_does_so_at_once() {
    let mut world = World::new(&[(0, 1)]);
    world.lose(A);
    let new = world.add((0, 1), false);
    assert_eq!(step(world.settle()), change(None, Some(new), Trigger::Membership));
}

#[test]
fn a_recovery_that_is_gradual_begins_with_a_small_share() {
    let mut world = World::new(&[(0, 1), (1, 1)]);
    world.rules.recovery = world.rules.recovery.gradual(100 * SECOND);
    world.leave(A, Trigger::Timeout);
    assert_eq!((world.roster.share(world.now, &world.rules), world.roster.before()), (1.0, None));
    world.until_up(A);
    assert_eq!((world.active(), world.roster.before()), (Some(A), Some(B)));
    for (seconds, share) in [(0, 0.1), (50, 0.55), (50, 1.0)] {
        world.pass(seconds * SECOND);
        let is = world.roster.share(world.now, &world.rules);
        assert!((is - share).abs() < 1e-9, "{is} is not {share}");
    }
}

#[test]
fn a_gradual_recovery_ends_with_the_one_that_served_before() {
    for removed in [false, true] {
        let mut world = World::new(&[(0, 1), (1, 1)]);
        world.rules.recovery = world.rules.recovery.gradual(100 * SECOND);
        world.leave(A, Trigger::Timeout);
        world.until_up(A);
        if removed {
            world.roster.remove(B);
        } else {
            world.leave(B, Trigger::Timeout);
        }
        assert_eq!(world.roster.share(world.now, &world.rules), 1.0);
        assert_eq!(world.roster.before(), None);
    }
}
