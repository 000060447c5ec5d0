use std::time::{Duration, Instant};

use tower_failover::event::Transition;

/// Who answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    Redis,
    Fallback,
    /// Nobody: the caller got this error.
    Nobody(String),
}

/// One call, as its caller saw it.
#[derive(Clone, Debug)]
pub struct Call {
    pub began: Instant,
    pub ended: Instant,
    pub from: From,
    /// Redis answered what another command asked for.
    pub is_wrong: bool,
}

impl Call {
    pub fn took(&self) -> Duration {
        self.ended - self.began
    }
}

/// Something was done to the server or the network between these two moments.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub before: Instant,
    pub after: Instant,
}

/// One fault and its end.
#[derive(Clone, Copy, Debug)]
pub struct Cycle {
    pub fault: Span,
    pub heal: Span,
    /// Whether there is proof that the fault was real.
    pub happened: bool,
    /// Connections made from the fault to the first answer after it, if the network counts them.
    pub connects: Option<Connects>,
}

/// How often the stack connected, and how often it may have.
#[derive(Clone, Copy, Debug)]
pub struct Connects {
    pub made: u64,
    pub most: u64,
}

/// All that one stack went through.
#[derive(Debug)]
pub struct Record {
    /// In the order of their ends.
    pub calls: Vec<Call>,
    pub cycles: Vec<Cycle>,
    pub transitions: Vec<Transition>,
    pub transitions_lost: bool,
    /// Answers of the fallback by its own events.
    pub fell_back: u64,
    pub most_probing: u64,
    pub probes: u64,
    pub errors: std::collections::BTreeMap<String, u64>,
    /// Callers whose last call did not return.
    pub hanging: usize,
    /// Tasks and sockets that are left when the stack is gone, and the connections it had before.
    pub tasks_left: usize,
    pub sockets_left: usize,
    pub sockets_in_use: usize,
}

impl Record {
    /// From the fault to the first answer of the fallback, for each cycle.
    pub fn seen_after(&self) -> impl Iterator<Item = Option<Duration>> {
        self.cycles.iter().enumerate().map(|(n, cycle)| {
            let end = self.end_of(n);
            let calls = self.calls.iter().filter(|call| call.from == From::Fallback);
            let first = calls.map(|call| call.ended).find(|at| *at >= cycle.fault.before)?;
            (Some(first) < end || end.is_none())
                .then(|| first.saturating_duration_since(cycle.fault.after))
        })
    }

    /// From the heal to the first answer of Redis, for each cycle.
    pub fn back_after(&self) -> impl Iterator<Item = Option<Duration>> {
        self.cycles.iter().enumerate().map(|(n, cycle)| {
            let end = self.end_of(n);
            let mut calls = self.calls.iter().filter(|call| call.from == From::Redis);
            let first = calls.find(|call| call.began >= cycle.heal.before)?.ended;
            (Some(first) < end || end.is_none())
                .then(|| first.saturating_duration_since(cycle.heal.after))
        })
    }

    fn end_of(&self, cycle: usize) -> Option<Instant> {
        self.cycles.get(cycle + 1).map(|next| next.fault.before)
    }
}
