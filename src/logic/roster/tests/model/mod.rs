//! The roster, compared with a slow and obvious one.

mod member;
#[expect(clippy::module_inception, reason = "a file is named after its type")]
mod model;
mod settle;
mod step;
mod watch;

use proptest::prelude::*;

use self::model::Model;
use super::{
    steps::{Answer, Step, is_about_somebody, step, world},
    world::World,
};
use crate::logic::{
    roster::{MemberId, Roster, Rules},
    testing::{Seen, check},
};

fn begin(rules: Rules, first: &[((u32, u32), bool)]) -> (World, Model) {
    let mut world = World::new(&[]);
    world.rules = rules;
    world.roster = Roster::new();
    let mut model = Model {
        rules,
        now: world.now,
        looks: vec![],
        members: vec![],
        reigns: vec![],
        pin: None,
        settlings: 0,
    };
    for (rank, has_catch_up) in first {
        world.add(*rank, *has_catch_up);
        model.add(rank.0, rank.1, *has_catch_up);
    }
    assert_eq!(world.settle(), model.settle());
    (world, model)
}

#[test]
fn the_roster_does_what_the_obvious_model_does() {
    let seen = Seen::new([
        "start",
        "health",
        "circuit",
        "connection",
        "timeout",
        "degradation",
        "cascade",
        "manual",
        "recovery",
        "membership",
        "kept",
        "doubt",
        "nobody",
        "check",
        "catch-up",
        "trial",
        "share",
        "refused",
        "step",
    ]);
    let cases = (world(), prop::collection::vec(step(), 1..220));
    check(file!(), 1_000, cases, |((rules, first), steps)| {
        let (mut world, mut model) = begin(rules, &first);
        for step in &steps {
            if !is_about_somebody(step, &world) {
                continue;
            }
            seen.note("step");
            let (is, should) = (world.step(step), model.step(step));
            prop_assert_eq!(&is, &should, "{:?}", step);
            for id in (0..world.looks.len()).map(|id| MemberId(id as u32)) {
                prop_assert_eq!(world.roster.standing(id), model.standing(id), "{:?}", step);
            }
            let share = world.roster.share(world.now, &world.rules);
            prop_assert!((share - model.share()).abs() < 1e-9, "{} {}", share, model.share());
            if let Some(change) = is.change {
                seen.note(change.trigger.as_str());
                if change.to.is_none() {
                    seen.note("nobody");
                }
            }
            match is.answer {
                Answer::Due(due) => {
                    due.checks.iter().for_each(|_| seen.note("check"));
                    due.catch_ups.iter().for_each(|_| seen.note("catch-up"));
                }
                Answer::Member(Some(_)) if matches!(step, Step::Trial(_)) => seen.note("trial"),
                Answer::FailOver(Err(_)) => seen.note("refused"),
                Answer::Nothing | Answer::Member(_) | Answer::FailOver(Ok(())) => {}
            }
            prop_assert_eq!(world.roster.is_in_doubt(), model.kept().is_some(), "{:?}", step);
            if model.kept().is_some() {
                seen.note("kept");
            }
            if model.firm_doubt().is_some() {
                seen.note("doubt");
            }
            if share < 1.0 {
                seen.note("share");
            }
        }
        Ok(())
    });
    seen.all();
    println!("{seen:?}");
}
