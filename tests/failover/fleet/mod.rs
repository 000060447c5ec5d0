//! Twelve backends in three tiers, random faults for sixty seconds of paused time, and somebody who
//! watches from outside what the failover makes of it.

mod report;
mod run;
mod ship;
mod watch;
mod weather;

use std::{env, time::Duration};

use tower_failover::failover::Recovery;

use self::{report::Report, run::Run};

/// Seeds with which something was found once.
const FOUND: [u64; 0] = [];
const RUNS: u64 = 12;

/// `FLEET_SEED`, or those that found something and some new ones.
fn seeds() -> Vec<u64> {
    if let Ok(seed) = env::var("FLEET_SEED") {
        return vec![seed.parse().unwrap()];
    }
    let runs = env::var("FLEET_RUNS").map_or(RUNS, |runs| runs.parse::<u64>().unwrap());
    // As many even ones as odd ones.
    FOUND.into_iter().chain((0..runs).map(|run| fastrand::u64(..) << 1 | run & 1)).collect()
}

#[test]
fn a_fleet_in_a_storm_keeps_its_budget_its_health_and_its_calm() {
    let mut all = Report::default();
    for seed in seeds() {
        let report = Run::new(seed).run();
        println!("{report}");
        assert!(report.breaches.is_empty(), "{report}");
        all.add(report);
    }
    all.has_happened(&[
        "call",
        "answer",
        "refused",
        "dropped",
        "hanging",
        "slow",
        "unready",
        "lying",
        "flapping",
        "tier",
        "storm",
        "switch",
        "recovery",
        "cascade",
        "trial",
        "unhealthy",
        "alone",
    ]);
}

/// What a run with this seeded bug is found out by; some seed must show it.
fn finds(breach: &str, bug: impl Fn(Run) -> Run) {
    let mut seen = vec![];
    for seed in seeds() {
        let run = Run { calm: Duration::from_secs(1), ..Run::new(seed) };
        let report = bug(run).run();
        println!("{report}");
        if report.breaches.iter().any(|found| found.contains(breach)) {
            return;
        }
        seen.push(report);
    }
    panic!("nothing was found: {seen:?}");
}

#[test]
fn twin_calls_that_take_longer_than_their_budget_are_found() {
    finds("over its budget", |run| {
        let policy = run.policy.attempt_timeout(Duration::from_millis(1_500));
        Run { policy, ..run }
    });
}

#[test]
fn twin_a_failover_that_is_not_told_of_health_is_found() {
    finds("is known to be unhealthy", |run| Run { tells_health: false, ..run });
}

fn hasty(run: Run) -> Run {
    let recovery = Recovery::new()
        .threshold(1)
        .check_every(Duration::from_millis(100))
        .delay(tower_failover::Backoff::fixed(Duration::from_nanos(1)));
    let policy = run.policy.recovery(recovery);
    Run { policy, ..run }
}

#[test]
fn twin_backends_that_come_back_at_once_are_found() {
    finds("is back early", hasty);
}

#[test]
fn twin_a_fleet_without_damping_switches_too_often() {
    finds("too many switches", hasty);
}
