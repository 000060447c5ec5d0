use super::world::{A, B, SECOND, World, change, step};
use crate::logic::roster::{Standing, Trigger};

/// A has a catch-up and was left for B.
fn left_for_b() -> World {
    let mut world = World::new(&[]);
    world.add((0, 1), true);
    world.add((1, 1), false);
    world.settle();
    assert_eq!(world.active(), Some(A), "the first one has missed nothing");
    world.leave(A, Trigger::Timeout);
    world
}

fn caught_up(world: &mut World, is_ok: bool) -> Option<super::world::Step> {
    world.roster.caught_up(A, is_ok, world.now);
    step(world.settle())
}

/// Good checks until the wait is over.
fn wait(world: &mut World) {
    for _ in 0..=10 {
        world.good(A);
        world.pass(SECOND);
    }
}

#[test]
fn a_member_is_brought_up_to_date_before_it_serves() {
    let mut world = left_for_b();
    wait(&mut world);
    assert_eq!((world.standing(A), world.active()), (Standing::CatchingUp, Some(B)));
    assert_eq!(world.next(&[B]), None);
    assert_eq!(world.due().catch_ups, [A]);
    assert_eq!(world.due().catch_ups, [], "not twice at the same time");
    assert_eq!(caught_up(&mut world, true), change(Some(B), Some(A), Trigger::Recovery));
}

#[test]
fn a_catch_up_that_fails_starts_the_row_and_the_wait_anew() {
    let mut world = left_for_b();
    wait(&mut world);
    world.due();
    assert_eq!(caught_up(&mut world, false), None);
    let Standing::Out { trigger, good: 0, back_at: None, .. } = world.standing(A) else { panic!() };
    assert_eq!(trigger, Trigger::Timeout);
    wait(&mut world);
    assert_eq!(world.due().catch_ups, [A]);
}

#[test]
fn checks_and_failures_meanwhile_change_nothing() {
    let mut world = left_for_b();
    wait(&mut world);
    assert_eq!((world.good(A), world.bad(A)), (None, None));
    assert_eq!(world.leave(A, Trigger::Timeout), None);
    assert_eq!(world.standing(A), Standing::CatchingUp);
}

#[test]
fn when_nobody_serves_the_catch_up_begins_at_the_first_good_check() {
    let mut world = left_for_b();
    world.lose(B);
    assert_eq!(world.good(A), None);
    assert_eq!(world.due().catch_ups, [A]);
    assert_eq!(caught_up(&mut world, true), change(None, Some(A), Trigger::Recovery));
}

#[test]
fn when_nobody_serves_one_without_a_catch_up_goes_first() {
    let mut world = left_for_b();
    world.lose(B);
    world.roster.good(A, world.now, &world.rules, 0.0);
    world.roster.good(B, world.now, &world.rules, 0.0);
    assert_eq!(step(world.settle()), change(None, Some(B), Trigger::Recovery));
    assert!(matches!(world.standing(A), Standing::Out { good: 1, .. }));
}

#[test]
fn an_early_catch_up_does_not_end_the_wait_if_somebody_serves_by_then() {
    let mut world = left_for_b();
    world.lose(B);
    world.good(A);
    assert_eq!(world.standing(A), Standing::CatchingUp);
    world.good(B);
    assert_eq!(caught_up(&mut world, true), None);
    assert!(matches!(world.standing(A), Standing::Out { good: 1, .. }));
    wait(&mut world);
    assert_eq!(caught_up(&mut world, true), change(Some(B), Some(A), Trigger::Recovery));
}

#[test]
fn by_hand_too_it_serves_only_when_it_is_up_to_date() {
    let mut world = left_for_b();
    let looks = world.looks.clone();
    world.roster.fail_over(A, None, world.now, &|id| looks[id.0 as usize]).expect("is healthy");
    assert_eq!(world.settle(), None);
    assert_eq!(world.due().catch_ups, [A]);
    assert_eq!(caught_up(&mut world, true), change(Some(B), Some(A), Trigger::Manual));
}

#[test]
fn a_recovery_by_hand_does_not_end_a_catch_up_that_runs() {
    let mut world = left_for_b();
    wait(&mut world);
    let looks = world.looks.clone();
    world.roster.recover(world.now, &|id| looks[id.0 as usize]);
    assert_eq!(world.settle(), None);
    assert_eq!(world.standing(A), Standing::CatchingUp);
    assert_eq!(caught_up(&mut world, true), change(Some(B), Some(A), Trigger::Manual));
}

#[test]
fn a_member_that_is_added_to_a_used_roster_catches_up_first() {
    let mut world = World::new(&[(0, 1)]);
    world.lose(A);
    let new = world.add((0, 1), true);
    assert_eq!((world.settle(), world.active()), (None, None));
    assert_eq!(world.due().catch_ups, [new]);
    world.roster.caught_up(new, true, world.now);
    assert_eq!(step(world.settle()), change(None, Some(new), Trigger::Membership));
}

#[test]
fn who_was_left_as_degraded_and_has_a_catch_up_is_no_resort_without_it() {
    let mut world = left_for_b();
    wait(&mut world);
    caught_up(&mut world, true);
    world.grade(A, crate::logic::health::Grade::Degraded);
    assert_eq!(world.active(), Some(B));
    world.lose(B);
    assert_eq!(world.active(), None);
}

#[test]
fn a_catch_up_that_fails_is_tried_again_no_sooner_than_an_interval_after_it_began() {
    let mut world = left_for_b();
    world.lose(B);
    world.rules.recovery = world.rules.recovery.check_every(3 * SECOND);
    for _ in 0..5 {
        world.good(A);
        assert_eq!(world.due().catch_ups, [A]);
        world.pass(SECOND);
        assert_eq!(caught_up(&mut world, false), None);
        world.good(A);
        assert_eq!(world.standing(A), Standing::CatchingUp, "a good check wants it at once");
        let due = world.due();
        assert_eq!((due.catch_ups, due.at), (vec![], world.now + 2 * SECOND));
        world.pass(2 * SECOND);
        assert_eq!(world.due().catch_ups, [A]);
        world.pass(10 * SECOND);
        caught_up(&mut world, false);
    }
}

#[test]
fn a_health_that_is_good_again_is_no_news_after_a_catch_up_that_failed() {
    let mut world = World::new(&[]);
    world.add((0, 1), true);
    world.settle();
    world.lose(A);
    world.grade(A, crate::logic::health::Grade::Healthy);
    assert_eq!(world.due().catch_ups, [A]);
    assert_eq!(caught_up(&mut world, false), None);
    for _ in 0..100 {
        world.settle();
        assert!(matches!(world.standing(A), Standing::Out { .. }), "without a check");
    }
    world.good(A);
    assert_eq!(world.standing(A), Standing::CatchingUp);
}

#[test]
fn a_catch_up_goes_on_while_who_serves_only_fails() {
    let mut world = left_for_b();
    world.leave(B, Trigger::Timeout);
    world.pass(SECOND);
    assert_eq!((world.good(A), world.standing(A)), (None, Standing::CatchingUp));
    assert_eq!(world.due().catch_ups, [A]);
    assert_eq!(caught_up(&mut world, true), change(Some(B), Some(A), Trigger::Cascade));
}
