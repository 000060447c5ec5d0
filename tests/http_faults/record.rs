use std::time::{Duration, Instant};

use tower_failover::event::Transition;

use crate::call::Call;

/// Something was done to the origin or the network between these two moments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) before: Instant,
    pub(crate) after: Instant,
}

/// One fault and its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cycle {
    pub(crate) fault: Span,
    pub(crate) heal: Span,
    /// Whether there is proof that the fault was real.
    pub(crate) happened: bool,
}

/// What a stack has when nobody calls it, after each page was asked for once.
#[derive(Debug)]
pub(crate) struct Rest {
    pub(crate) calls: Vec<Call>,
    pub(crate) tasks: usize,
    pub(crate) sockets: usize,
    /// Calls that others may wait for.
    pub(crate) loads: usize,
    pub(crate) entries: usize,
    pub(crate) weight: u64,
}

/// All that one stack went through.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) calls: Vec<Call>,
    pub(crate) cycles: Vec<Cycle>,
    pub(crate) transitions: Vec<Transition>,
    /// Transitions after the last fault was over, and the circuit closed.
    pub(crate) transitions_at_rest: usize,
    pub(crate) is_settled: bool,
    pub(crate) before: Rest,
    pub(crate) after: Rest,
    /// Of the pages that were asked for once again: callers who did not wait, pages that are newer.
    pub(crate) late: usize,
    pub(crate) reloaded: usize,
    /// What is left when the stack is gone.
    pub(crate) tasks_left: usize,
    pub(crate) sockets_left: usize,
    /// Callers whose last call did not return.
    pub(crate) hanging: usize,
}

impl Record {
    /// From the fault to the first stale page, for each cycle.
    pub(crate) fn seen_after(&self) -> impl Iterator<Item = Option<Duration>> {
        self.cycles.iter().enumerate().map(|(n, cycle)| {
            let stale = self.calls.iter().filter(|call| call.is_stale()).map(|call| call.head);
            let first = stale.filter(|at| *at >= cycle.fault.before).min()?;
            self.is_in_cycle(n, first).then(|| first.saturating_duration_since(cycle.fault.after))
        })
    }

    /// From the heal to the first new answer for a page that was served stale, for each cycle.
    pub(crate) fn back_after(&self) -> impl Iterator<Item = Option<Duration>> {
        self.cycles.iter().enumerate().map(|(n, cycle)| {
            let calls = self.calls.iter().filter(|call| call.began >= cycle.heal.before);
            let back = calls.filter(|call| call.is_primary() && call.key.kind.is_covered());
            let first = back.map(|call| call.ended).min()?;
            self.is_in_cycle(n, first).then(|| first.saturating_duration_since(cycle.heal.after))
        })
    }

    fn is_in_cycle(&self, n: usize, at: Instant) -> bool {
        self.cycles.get(n + 1).is_none_or(|next| at < next.fault.before)
    }
}
