use std::time::Duration;

use proptest::{prelude::*, sample::select};

use super::{
    history::{Record, history},
    steps::{Answer, Step, incident, rules, step, world},
    world::{RULES, SECOND},
};
use crate::logic::{
    Backoff, Moment, Ratio,
    health::Grade,
    roster::{MemberId, Recovery, Rules, Trigger},
    testing::{Seen, check, finds},
};

type Verdict = Result<(), TestCaseError>;

/// Looks at the histories of random steps.
fn look<S: Strategy<Value = Step>>(steps: S, property: impl Fn(&[Record], Rules) -> Verdict) {
    let cases = (world(), prop::collection::vec(steps, 1..200));
    check(file!(), 200, cases, |((rules, first), steps)| {
        property(&history(rules, &first, &steps), rules)
    });
}

#[test]
fn who_is_unhealthy_or_shut_never_serves_and_is_never_tried() {
    let seen = Seen::new(["serves", "tried", "unhealthy", "shut"]);
    look(step(), |records, _| {
        for record in records {
            if let Some(active) = record.active {
                seen.note("serves");
                prop_assert!(record.is_open(active), "{active:?} serves");
            }
            if let Answer::Member(Some(id)) = record.answer {
                seen.note("tried");
                // Whom nobody monitors has to be tried to find out.
                let is_trial = matches!(record.step, Step::Trial(_));
                let is_shown = !is_trial || record.look(id).is_monitored;
                let is_triable =
                    if is_shown { record.is_open(id) } else { !record.look(id).is_shut };
                prop_assert!(is_triable, "{id:?} is tried");
            }
            for look in &record.looks {
                if look.grade == Grade::Unhealthy {
                    seen.note("unhealthy");
                }
                if look.is_shut {
                    seen.note("shut");
                }
            }
        }
        Ok(())
    });
    seen.all();
}

#[test]
fn somebody_serves_while_anybody_is_up() {
    let seen = Seen::new(["somebody", "nobody"]);
    look(step(), |records, _| {
        for record in records {
            let up = record.ids().find(|id| record.is_up(*id));
            seen.note(if up.is_some() { "somebody" } else { "nobody" });
            prop_assert!(up.is_none() || record.active.is_some(), "{up:?} could serve");
        }
        Ok(())
    });
    seen.all();
}

#[test]
fn no_failure_of_a_call_takes_the_last_one_away() {
    let seen = Seen::new(["kept", "moved"]);
    look(step(), |records, _| {
        for pair in records.windows(2) {
            let [before, after] = pair else { unreachable!("two") };
            if let Step::Leave(id, ..) = after.step
                && before.active == Some(id)
            {
                prop_assert!(after.active.is_some(), "{id:?} was better than nobody");
                seen.note(if after.active == before.active { "kept" } else { "moved" });
            }
        }
        Ok(())
    });
    seen.all();
}

#[test]
fn who_is_degraded_does_not_serve_while_another_could() {
    let seen = Seen::new(["degraded", "good"]);
    look(incident(), |records, rules| {
        for record in records {
            let is_good = |id: &MemberId| {
                let degraded = rules.leaves_degraded && record.look(*id).grade == Grade::Degraded;
                record.is_up(*id) && !degraded
            };
            let Some(active) = record.active else { continue };
            seen.note(if is_good(&active) { "good" } else { "degraded" });
            let other = record.ids().find(is_good);
            prop_assert!(is_good(&active) || other.is_none(), "{other:?} is good");
        }
        Ok(())
    });
    seen.all();
}

/// The times of the good checks in a row of a member that was not up until the last record.
fn row(records: &[Record], id: MemberId) -> Vec<Moment> {
    let mut row = vec![];
    for pair in records.windows(2).rev() {
        let [before, after] = pair else { unreachable!("two") };
        if before.is_up(id) || before.standing(id).is_none() {
            break;
        }
        match after.step {
            Step::Bad(of) if of == id && before.is_out(id) => break,
            Step::Good(of, _) if of == id && before.is_out(id) => row.push(after.now),
            _ => {}
        }
    }
    row.reverse();
    row
}

/// Every member that comes back has had enough good checks and has waited as these rules say,
/// unless nobody else could serve.
fn nobody_is_early(records: &[Record], rules: &Rules, seen: &Seen<3>) -> Verdict {
    for (at, pair) in records.windows(2).enumerate() {
        let [before, after] = pair else { unreachable!("two") };
        for id in after.ids().filter(|id| !before.is_up(*id) && after.is_up(*id)) {
            let row = row(&records[..=at + 1], id);
            let shortest = rules.recovery.delay.wait(1, 1.0);
            let waited = row.first().is_some_and(|first| after.now - *first >= shortest);
            let is_lonely = !after.ids().any(|other| other != id && after.is_up(other));
            let is_new = !records[..=at].iter().any(|record| record.is_up(id));
            if row.len() >= rules.recovery.threshold as usize && waited {
                seen.note("return");
            } else if is_new && !row.is_empty() {
                seen.note("addition");
            } else {
                prop_assert!(is_lonely, "{id:?} is early: {} good", row.len());
                seen.note("rescue");
            }
        }
    }
    Ok(())
}

fn steps_without_a_hand() -> impl Strategy<Value = Step> {
    let add = (super::steps::rank(), any::<bool>()).prop_map(|(rank, hook)| Step::Add(rank, hook));
    // A catch-up that fails begins the row anew, which is not seen from outside.
    let caught_up = |step: Step| match step {
        Step::CaughtUp(id, _) => Step::CaughtUp(id, true),
        step => step,
    };
    prop_oneof![20 => incident().prop_map(caught_up), 1 => add]
}

#[test]
fn nobody_comes_back_before_the_threshold_and_the_wait() {
    let seen = Seen::new(["return", "addition", "rescue"]);
    look(steps_without_a_hand(), |records, rules| nobody_is_early(records, &rules, &seen));
    seen.all();
}

/// Runs by one recovery and judges by the default.
fn who_is_early_by(recovery: Recovery) -> String {
    let seen = Seen::new(["return", "addition", "rescue"]);
    let members = [((0, 1), false), ((1, 1), false), ((2, 1), false)];
    finds(500, prop::collection::vec(steps_without_a_hand(), 1..200), |steps| {
        nobody_is_early(&history(Rules { recovery, ..RULES }, &members, &steps), &RULES, &seen)
    })
}

#[test]
fn twin_a_threshold_of_one_is_found() {
    assert!(who_is_early_by(RULES.recovery.threshold(1)).contains("is early"));
}

#[test]
fn twin_a_wait_of_a_moment_is_found() {
    let delay = Backoff::fixed(Duration::from_nanos(1));
    assert!(who_is_early_by(RULES.recovery.delay(delay)).contains("is early"));
}

#[test]
fn a_cascade_is_the_failure_of_one_that_took_over_a_short_while_ago() {
    let seen = Seen::new(["cascade", "other"]);
    look(incident(), |records, rules| {
        let failure = |trigger| {
            let not = [Trigger::Start, Trigger::Recovery, Trigger::Manual, Trigger::Membership];
            !not.contains(&trigger)
        };
        let changes = records.iter().filter_map(|it| it.change.map(|change| (it.now, change)));
        let changes: Vec<_> = changes.collect();
        for pair in changes.windows(2) {
            let [(then, first), (now, second)] = *pair else { unreachable!("two") };
            let took_over = first.from.is_some() && first.to.is_some() && failure(first.trigger);
            let is_soon = now - then < rules.cascade_within;
            if failure(second.trigger) && took_over && is_soon {
                seen.note("cascade");
                prop_assert_eq!(second.trigger, Trigger::Cascade);
            } else {
                seen.note("other");
                prop_assert_ne!(second.trigger, Trigger::Cascade);
            }
        }
        Ok(())
    });
    seen.all();
}

#[test]
fn who_is_preferred_by_hand_serves_as_long_as_it_is_up() {
    let seen = Seen::new(["serves", "not up", "end"]);
    look(step(), |records, _| {
        let mut pin: Option<(MemberId, Moment)> = None;
        for record in records {
            match (&record.step, &record.answer) {
                (Step::FailOver(id, within), Answer::FailOver(Ok(()))) => {
                    let until = within.map_or(Moment::NEVER, |within| record.now + within);
                    pin = Some((*id, until));
                }
                (Step::Recover, _) => pin = None,
                (Step::Remove(id), _) => pin = pin.filter(|(home, _)| home != id),
                _ => {}
            }
            match pin {
                Some((_, until)) if record.now >= until => {
                    seen.note("end");
                    pin = None;
                }
                Some((home, _)) if record.is_up(home) => {
                    seen.note("serves");
                    prop_assert_eq!(record.active, Some(home));
                }
                Some(_) => seen.note("not up"),
                None => {}
            }
        }
        Ok(())
    });
    seen.all();
}

/// Two backends that fail as often as they can, one that never does, and a check a second.
fn storm() -> impl Strategy<Value = Vec<Step>> {
    let fails = || prop::bool::weighted(0.3);
    let second = (fails(), fails()).prop_map(|fails| {
        let mut steps = vec![Step::Pass(SECOND)];
        for (id, fails) in [(MemberId(0), fails.0), (MemberId(1), fails.1)] {
            steps.push(Step::Good(id, 1.0));
            if fails {
                steps.push(Step::Leave(id, Trigger::Timeout, Duration::ZERO));
            }
        }
        steps
    });
    prop::collection::vec(second, 100..400).prop_map(|seconds| seconds.concat())
}

/// Between two uses of a member that was left lies its shortest wait. So, over a time, it is left
/// at most once for each such wait and once more, and each leaving is a switch away and at most one
/// back.
fn most_switches(members: u32, time: Duration, rules: &Rules) -> u128 {
    let shortest = rules.recovery.delay.wait(1, 1.0).as_nanos();
    u128::from(members) * (time.as_nanos() / shortest + 1) * 2
}

fn switches_in_a_storm(rules: Rules, judged_by: &Rules, steps: &[Step], seen: &Seen<2>) -> Verdict {
    let members = [((0, 1), false), ((1, 1), false), ((9, 1), false)];
    let records = history(rules, &members, steps);
    let (first, last) = (&records[0], &records[records.len() - 1]);
    let changes: Vec<_> = records[1..].iter().filter_map(|record| record.change).collect();
    for change in &changes {
        let back = change.trigger == Trigger::Recovery;
        seen.note(if back { "back" } else { "away" });
    }
    let most = most_switches(2, last.now - first.now, judged_by);
    prop_assert!(changes.len() as u128 <= most, "too many switches: {} > {most}", changes.len());
    Ok(())
}

#[test]
fn there_are_no_more_switches_than_the_waits_allow() {
    let seen = Seen::new(["away", "back"]);
    for jitter in [0, 20] {
        let delay = Backoff::fixed(10 * SECOND).jitter(Ratio::percent(jitter));
        let rules = Rules { recovery: RULES.recovery.delay(delay), ..RULES };
        check(file!(), 50, storm(), |steps| switches_in_a_storm(rules, &rules, &steps, &seen));
    }
    seen.all();
}

#[test]
fn twin_a_backend_that_comes_back_at_once_is_found() {
    let delay = Backoff::fixed(Duration::from_nanos(1));
    let rules = Rules { recovery: RULES.recovery.delay(delay).threshold(1), ..RULES };
    let seen = Seen::new(["away", "back"]);
    let found = finds(50, storm(), |steps| switches_in_a_storm(rules, &RULES, &steps, &seen));
    assert!(found.contains("too many switches"), "{found}");
}

#[test]
fn good_checks_bring_everybody_back_in_the_end() {
    let seen = Seen::new(["back"]);
    let ids = select((0..6).map(MemberId).collect::<Vec<_>>());
    let leave = ids.prop_map(|id| Step::Leave(id, Trigger::Timeout, Duration::ZERO));
    let cases = (world(), rules(), prop::collection::vec(prop_oneof![leave, incident()], 1..100));
    check(file!(), 200, cases, |((_, first), rules, mut steps)| {
        let ids: Vec<_> = (0..first.len() as u32).map(MemberId).collect();
        let looks = ids.iter().map(|id| Step::Look(*id, super::world::HEALTHY));
        steps.extend(looks);
        steps.extend(ids.iter().map(|id| Step::Answered(*id)));
        let wait = rules.recovery.delay.longest();
        for _ in 0..=rules.recovery.threshold {
            steps.extend(ids.iter().map(|id| Step::Good(*id, 0.0)));
            steps.push(Step::Pass(wait));
            // The first one may have been too early, and another is then needed after the wait.
            steps.extend(ids.iter().map(|id| Step::CaughtUp(*id, true)));
        }
        steps.extend(ids.iter().map(|id| Step::Good(*id, 0.0)));
        steps.extend(ids.iter().map(|id| Step::CaughtUp(*id, true)));
        let records = history(rules, &first, &steps);
        let last = records.last().expect("has a beginning");
        for id in ids {
            seen.note("back");
            prop_assert!(last.is_up(id), "{id:?} is {:?}", last.standing(id));
        }
        Ok(())
    });
    seen.all();
}
