use super::world::{A, B, C, SECOND, World, change, step};
use crate::logic::{health::Grade, roster::Trigger};

#[test]
fn nobody_serves_an_empty_roster() {
    let mut world = World::new(&[]);
    assert_eq!((world.active(), world.next(&[]), world.trial()), (None, None, None));
    assert!(world.changes.is_empty());
    assert_eq!(world.due().at, world.now + SECOND);
}

#[test]
fn the_first_choice_is_a_start() {
    let world = World::new(&[(1, 1), (0, 1)]);
    assert_eq!(step(world.changes.first().copied()), change(None, Some(B), Trigger::Start));
}

#[test]
fn the_lowest_tier_is_chosen_whatever_the_scores() {
    let mut world = World::new(&[]);
    world.add((1, 1), false);
    world.add((0, 1), false);
    world.look(A).score = 9.0;
    world.settle();
    assert_eq!(world.active(), Some(B));
}

#[test]
fn within_a_tier_the_best_score_is_chosen() {
    let mut world = World::new(&[]);
    world.add((0, 9), false);
    world.add((0, 1), false);
    (world.look(A).score, world.look(B).score) = (1.0, 1.1);
    world.settle();
    assert_eq!(world.active(), Some(B));
}

#[test]
fn a_score_that_is_no_number_is_the_worst() {
    let mut world = World::new(&[]);
    world.add((0, 1), false);
    world.add((0, 1), false);
    (world.look(A).score, world.look(B).score) = (f64::NAN, 0.0);
    world.settle();
    assert_eq!(world.active(), Some(B));
}

#[test]
fn equal_scores_are_chosen_by_weight_and_then_in_order() {
    assert_eq!(World::new(&[(0, 1), (0, 2), (0, 2)]).active(), Some(B));
    assert_eq!(World::new(&[(0, 1), (0, 1)]).active(), Some(A));
}

#[test]
fn a_better_score_alone_switches_nothing() {
    let mut world = World::new(&[(0, 1), (0, 1)]);
    world.look(B).score = 100.0;
    assert_eq!(world.settle(), None);
    assert_eq!(world.active(), Some(A));
}

#[test]
fn a_call_tries_who_serves_first_and_then_the_others_as_at_a_switch() {
    let mut world = World::new(&[(0, 1), (1, 1), (0, 1)]);
    (world.look(B).score, world.look(C).score) = (50.0, 9.0);
    assert_eq!(world.next(&[]), Some(A));
    assert_eq!(world.next(&[A]), Some(C));
    assert_eq!(world.next(&[A, C]), Some(B));
    assert_eq!(world.next(&[A, B, C]), None);
}

#[test]
fn a_call_does_not_try_who_is_out_or_shut_or_unhealthy() {
    let mut world = World::new(&[(0, 1), (0, 1), (0, 1), (1, 1)]);
    world.leave(B, Trigger::Timeout);
    world.look(C).grade = Grade::Unhealthy;
    world.looks[3].is_shut = true;
    assert_eq!(world.next(&[A]), None);
    world.looks[3].is_shut = false;
    assert_eq!(world.next(&[A]).map(|id| id.0), Some(3));
}

#[test]
fn a_call_tries_who_is_degraded_last() {
    let mut world = World::new(&[(0, 1), (0, 1), (1, 1)]);
    world.look(B).grade = Grade::Degraded;
    assert_eq!(world.next(&[A]), Some(C));
    assert_eq!(world.next(&[A, C]), Some(B));
    world.rules.leaves_degraded = false;
    assert_eq!(world.next(&[A]), Some(B));
}
