use super::world::{A, B, C, SECOND, World, change, step};
use crate::logic::{
    Moment,
    health::Grade,
    roster::{MemberId, Trigger, Unfit},
};

fn fail_over(world: &mut World, id: MemberId, until: Option<Moment>) -> Result<(), Unfit> {
    let looks = world.looks.clone();
    world.roster.fail_over(id, until, world.now, &|id| looks[id.0 as usize])
}

fn recover(world: &mut World) {
    let looks = world.looks.clone();
    world.roster.recover(world.now, &|id| looks[id.0 as usize]);
}

#[test]
fn who_is_preferred_by_hand_serves_at_once() {
    let mut world = World::new(&[(0, 1), (1, 1)]);
    assert_eq!(fail_over(&mut world, B, None), Ok(()));
    assert_eq!(step(world.settle()), change(Some(A), Some(B), Trigger::Manual));
    world.pass(1_000_000 * SECOND);
    assert_eq!(world.settle(), None);
}

#[test]
fn who_is_out_can_be_preferred_by_hand() {
    let mut world = World::new(&[(0, 1), (1, 1)]);
    world.leave(A, Trigger::Timeout);
    assert_eq!(fail_over(&mut world, A, None), Ok(()));
    assert_eq!(step(world.settle()), change(Some(B), Some(A), Trigger::Manual));
}

#[test]
fn who_is_unknown_or_unhealthy_or_shut_cannot_be_preferred_by_hand() {
    let mut world = World::new(&[(0, 1), (1, 1), (1, 1)]);
    (world.look(B).grade, world.look(C).is_shut) = (Grade::Unhealthy, true);
    assert_eq!(fail_over(&mut world, MemberId(7), None), Err(Unfit::Unknown));
    assert_eq!(fail_over(&mut world, B, None), Err(Unfit::Unhealthy));
    assert_eq!(fail_over(&mut world, C, None), Err(Unfit::Shut));
    assert_eq!((world.settle(), world.active()), (None, Some(A)));
}

#[test]
fn who_is_preferred_by_hand_is_not_left_because_it_is_degraded() {
    let mut world = World::new(&[(0, 1), (1, 1)]);
    world.look(B).grade = Grade::Degraded;
    assert_eq!(fail_over(&mut world, B, None), Ok(()));
    world.settle();
    assert_eq!(world.active(), Some(B));
}

#[test]
fn who_is_preferred_by_hand_is_left_when_it_fails_and_comes_back() {
    let mut world = World::new(&[(0, 1), (1, 1)]);
    fail_over(&mut world, B, None).expect("is healthy");
    world.settle();
    let fails = world.leave(B, Trigger::Timeout);
    assert_eq!(step(fails), change(Some(B), Some(A), Trigger::Timeout));
    assert_eq!(world.until_up(B), 10 * SECOND);
    let last = world.changes.last().copied();
    assert_eq!(step(last), change(Some(A), Some(B), Trigger::Recovery));
}

#[test]
fn when_nobody_serves_who_is_preferred_by_hand_does_so_first() {
    let mut world = World::new(&[(0, 1), (1, 1)]);
    fail_over(&mut world, B, None).expect("is healthy");
    world.leave(B, Trigger::Timeout);
    world.roster.good(B, world.now, &world.rules, 0.0);
    world.look(A).grade = Grade::Unhealthy;
    world.settle();
    assert_eq!(world.active(), Some(B));
    for id in [A, B] {
        world.grade(id, Grade::Unhealthy);
    }
    (world.look(A).grade, world.look(B).grade) = (Grade::Healthy, Grade::Healthy);
    assert_eq!(step(world.settle()), change(None, Some(B), Trigger::Recovery));
}

#[test]
fn a_preference_ends_at_its_time() {
    let mut world = World::new(&[(0, 1), (1, 1)]);
    let end = world.now + 60 * SECOND;
    fail_over(&mut world, B, Some(end)).expect("is healthy");
    world.settle();
    world.pass(60 * SECOND - SECOND / 4);
    assert_eq!(world.settle(), None);
    assert_eq!(world.due().at, end);
    world.pass(SECOND / 2);
    let ends = world.settle();
    assert_eq!(step(ends), change(Some(B), Some(A), Trigger::Recovery));
    assert_eq!(ends.map(|change| change.since), Some(end));
}

#[test]
fn a_preference_that_ends_while_its_member_is_out_changes_nothing() {
    let mut world = World::new(&[(0, 1), (0, 1), (1, 1)]);
    let end = world.now + 5 * SECOND;
    fail_over(&mut world, C, Some(end)).expect("is healthy");
    world.settle();
    world.look(B).score = 2.0;
    world.leave(C, Trigger::Timeout);
    assert_eq!(world.active(), Some(B));
    world.pass(6 * SECOND);
    assert_eq!((world.settle(), world.active()), (None, Some(B)));
}

#[test]
fn a_recovery_by_hand_ends_a_preference_and_every_wait() {
    let mut world = World::new(&[(0, 1), (1, 1), (2, 1)]);
    world.leave(A, Trigger::Timeout);
    fail_over(&mut world, C, None).expect("is healthy");
    world.settle();
    recover(&mut world);
    assert_eq!(step(world.settle()), change(Some(C), Some(A), Trigger::Manual));
}

#[test]
fn a_recovery_by_hand_leaves_out_who_does_not_look_fine() {
    let mut world = World::new(&[(0, 1), (0, 1), (0, 1), (1, 1)]);
    for id in [A, B, C] {
        world.leave(id, Trigger::Timeout);
    }
    (world.look(A).grade, world.look(B).grade) = (Grade::Unhealthy, Grade::Degraded);
    world.look(C).is_shut = true;
    recover(&mut world);
    assert_eq!(world.settle(), None);
    assert!([A, B, C].iter().all(|id| !world.is_up(*id)));
}

#[test]
fn a_recovery_by_hand_goes_back_to_the_greatest_weight_whatever_the_scores() {
    let mut world = World::new(&[(0, 1), (0, 1)]);
    let heavy = world.add((0, 5), false);
    world.good(heavy);
    assert_eq!(world.active(), Some(heavy));
    world.leave(heavy, Trigger::Timeout);
    world.until_up(heavy);
    assert_eq!(world.active(), Some(heavy));
    fail_over(&mut world, B, None).expect("is healthy");
    world.settle();
    world.look(heavy).score = 0.0;
    recover(&mut world);
    assert_eq!(step(world.settle()), change(Some(B), Some(heavy), Trigger::Manual));
}

#[test]
fn a_recovery_by_hand_is_not_gradual() {
    let mut world = World::new(&[(0, 1), (1, 1)]);
    world.rules.recovery = world.rules.recovery.gradual(100 * SECOND);
    world.leave(A, Trigger::Timeout);
    recover(&mut world);
    world.settle();
    assert_eq!((world.active(), world.roster.before()), (Some(A), None));
}

#[test]
fn the_removal_of_who_is_preferred_by_hand_ends_the_preference() {
    let mut world = World::new(&[(0, 1), (1, 1)]);
    fail_over(&mut world, B, None).expect("is healthy");
    world.settle();
    world.roster.remove(B);
    assert_eq!(step(world.settle()), change(Some(B), Some(A), Trigger::Membership));
}
