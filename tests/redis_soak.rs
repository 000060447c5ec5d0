//! A million requests, `SOAK_REQUESTS` in the environment names another number, while Redis is killed
//! fifty times.
#![cfg(all(feature = "redis", target_os = "linux"))]
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests take real time, spawn, and unwrap in their helpers too"
)]
#[path = "stack/harness/mod.rs"]
mod harness;
mod support;

use std::{env, time::Duration};

use harness::{Guarantee::Answered, *};
use tokio::runtime::Builder;

/// In a debug build; `.ci/run` asks for a million of a release build.
const REQUESTS: usize = 100_000;
/// In each round.
const KILLS: usize = 50;
/// Every call is kept until the end of its round.
const ROUND: usize = 1_000_000;
const CALLERS: usize = 64;
const PAUSE: Duration = ms(10);
const ROW: Row = Row::new("soak", Fault::Kill, ms(50), ms(250));

/// The kills are spread over the requests, not over the time.
async fn soak(design: Design, requests: usize, kills: usize) -> Report {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut ground = Ground::start(ROW.fault).await;
    let mut lane = Lane::start(&design, ground.url(ROW.fault), ground.port(ROW.fault)).await;
    lane.rush(CALLERS, PAUSE, Work::Echo);
    let mut cycles = Vec::new();
    for kill in 1..=kills {
        let due = requests * kill / (kills + 1);
        assert!(holds(WITHIN, || lane.calls_so_far() >= due).await, "callers call");
        let row = ROW.length(Duration::from_millis(random.u64(1..100)));
        let (cycle, came_back) = one_cycle(row, &mut ground, &lane).await;
        cycles.push(cycle);
        if !came_back {
            break;
        }
    }
    holds(WITHIN, || lane.calls_so_far() >= requests).await;
    let record = lane.end(cycles).await;
    let calls = record.calls.len();
    let mut report = Report::of("soak", seed, kills, ROW.bounds(), vec![record]);
    report.unless(calls >= requests, Guarantee::Happened, || format!("{calls} requests"));
    report
}

const WITHIN: Duration = Duration::from_secs(300);

fn run(design: Design, requests: usize, kills: usize) -> Report {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(soak(design, requests, kills))
}

#[test]
fn callers_do_not_notice_fifty_kills() {
    let named = env::var("SOAK_REQUESTS").ok();
    let mut left = named.map_or(REQUESTS, |n| n.parse().expect("SOAK_REQUESTS is a number"));
    while left > 0 {
        let requests = left.min(ROUND);
        run(Design::whole(), requests, KILLS).holds();
        left -= requests;
    }
}

#[test]
fn callers_do_not_notice_fifty_kills_twin() {
    let bare = Design { falls_back: false, ..Design::whole() };
    run(bare, 5_000, 3).violates(Answered);
}
