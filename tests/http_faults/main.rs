//! The HTTP cache over a faulty network: a real origin behind a proxy that breaks what goes through
//! it, callers who write down every call, and what has to be true of that record.
//!
//! What is promised of time is about heads. A body comes from the origin as it comes, and one that
//! never ends is its caller's to give up; a body from the cache is there at once.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests spawn openly and fail by panicking"
)]

mod call;
mod fault;
mod honest;
mod origin;
mod page;
mod record;
mod report;
#[path = "../stack/harness/sockets.rs"]
#[allow(unreachable_pub, reason = "shared with other tests")]
mod sockets;
mod stack;
mod storm;
#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use self::{fault::Fault, storm::run};

/// What our layers may add to a budget.
const GRACE: Duration = Duration::from_millis(25);
/// What a machine of two cores, on which other tests and builds run, may add to any time. It is
/// granted to the worst of a row only; half of the cycles, and of the slow calls, must keep the bare
/// bound.
const BUSY: Duration = Duration::from_millis(150);

/// Stacks that run at a time, and faults that each goes through.
const LANES: u64 = 10;
const CYCLES: usize = 3;

#[test]
fn connections_that_are_cut_in_the_head() {
    run(Fault::CutHead, LANES, CYCLES).holds();
}

#[test]
fn connections_that_are_cut_in_the_body() {
    run(Fault::CutBody, LANES, CYCLES).holds();
}

#[test]
fn an_outage_that_is_longer_than_some_pages_may_be_stale() {
    run(Fault::Outage, LANES, 1).holds();
}

#[test]
fn connections_that_are_refused() {
    run(Fault::Refused, LANES, CYCLES).holds();
}

#[test]
fn connections_that_are_accepted_and_not_answered() {
    run(Fault::Mute, LANES, CYCLES).holds();
}

#[test]
fn one_direction_that_is_held() {
    run(Fault::Held, LANES, CYCLES).holds();
}

#[test]
fn garbage_for_an_answer() {
    run(Fault::Garbage, LANES, CYCLES).holds();
}

#[test]
fn answers_that_come_late() {
    run(Fault::Delayed, LANES, CYCLES).holds();
}

#[test]
fn an_origin_that_is_unavailable_and_says_for_how_long() {
    run(Fault::Unavailable, LANES, CYCLES).holds();
}

#[test]
fn bodies_that_do_not_end() {
    run(Fault::Endless, LANES, CYCLES).holds();
}

#[test]
fn an_origin_that_is_killed_and_comes_back() {
    run(Fault::Killed, LANES, CYCLES).holds();
}
