use std::time::Duration;

use super::{
    Cause, Moment, Ratio, nanos,
    policy::{Cancelled, Policy, Rate},
    streak::Streak,
    sync::{AtomicU32, AtomicU64, Ordering, fence},
    window::{SlidingWindow, Tally},
};

/// Counts the calls of a closed circuit and tells when they meet a criterion of the policy;
/// lock-free.
///
/// The settings that a call needs are kept here in atomics, so that they can be replaced while
/// calls run. They are only ever changed together with the period, or without changing what the
/// counts mean.
#[derive(Debug)]
pub(crate) struct Meter {
    criteria: AtomicU32,
    /// Failures in a row that trip.
    row: AtomicU32,
    failure_limit: Limit,
    slow_limit: Limit,
    /// Nanoseconds from which on a call is slow.
    slow_from: AtomicU64,
    /// Nanoseconds from which on a cancelled call is a failure.
    cancelled_from: AtomicU64,
    streak: Streak,
    failures: SlidingWindow,
    slow: SlidingWindow,
}

const ROW: u32 = 1;
const FAILURE_RATE: u32 = 2;
const SLOW_RATE: u32 = 4;
/// Somebody needs to know when a call began.
const TIMED: u32 = 8;

/// How a counted call ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) failed: bool,
    /// How long it took, known if [`Meter::is_timed`].
    pub(crate) took: Option<Duration>,
}

impl Meter {
    pub(crate) fn new() -> Self {
        Self {
            criteria: AtomicU32::new(0),
            row: AtomicU32::new(0),
            failure_limit: Limit::new(),
            slow_limit: Limit::new(),
            slow_from: AtomicU64::new(u64::MAX),
            cancelled_from: AtomicU64::new(u64::MAX),
            streak: Streak::new(),
            failures: SlidingWindow::new(),
            slow: SlidingWindow::new(),
        }
    }

    /// Starts anew in `period`, by `policy`. The caller then publishes the period.
    pub(crate) fn start(&self, period: u64, policy: &Policy) {
        self.streak.start(period);
        self.start_windows(period, policy);
    }

    /// Starts the windows anew in `period`, by `policy`, and goes on with the failures in a row.
    pub(crate) fn restart(&self, period: u64, policy: &Policy) {
        self.streak.carry(period);
        self.start_windows(period, policy);
    }

    fn start_windows(&self, period: u64, policy: &Policy) {
        if let Some(rate) = policy.failure_rate {
            self.failures.start(period, rate.window);
        }
        if let Some((_, rate)) = policy.slow_calls {
            self.slow.start(period, rate.window);
        }
        self.configure(policy);
    }

    /// Takes over the settings that do not change what the counts mean.
    pub(crate) fn configure(&self, policy: &Policy) {
        let Policy { consecutive_failures: row, failure_rate, slow_calls, cancelled, .. } = policy;
        self.row.store(row.unwrap_or(u32::MAX), Ordering::Relaxed);
        self.failure_limit.set(failure_rate.as_ref());
        self.slow_limit.set(slow_calls.as_ref().map(|(_, rate)| rate));
        self.slow_from
            .store(slow_calls.map_or(u64::MAX, |(from, _)| nanos(from)), Ordering::Relaxed);
        let cancelled_from = match *cancelled {
            Cancelled::Ignored => u64::MAX,
            Cancelled::Failure => 0,
            Cancelled::FailureAfter(from) => nanos(from),
        };
        self.cancelled_from.store(cancelled_from, Ordering::Relaxed);
        let timed = slow_calls.is_some() || !matches!(cancelled_from, 0 | u64::MAX);
        let criteria = [
            (row.is_some(), ROW),
            (failure_rate.is_some(), FAILURE_RATE),
            (slow_calls.is_some(), SLOW_RATE),
            (timed, TIMED),
        ];
        let criteria = criteria.into_iter().filter(|(on, _)| *on).map(|(_, bit)| bit).sum();
        self.criteria.store(criteria, Ordering::Relaxed);
    }

    /// Whether it must be known when a call began.
    #[inline]
    pub(crate) fn is_timed(&self) -> bool {
        self.criteria.load(Ordering::Relaxed) & TIMED != 0
    }

    /// Whether a call that took this long is slow.
    pub(crate) fn is_slow(&self, took: Duration) -> bool {
        self.criteria.load(Ordering::Relaxed) & SLOW_RATE != 0
            && nanos(took) >= self.slow_from.load(Ordering::Relaxed)
    }

    /// Whether a call that was cancelled after this long is a failure.
    pub(crate) fn is_failure_when_cancelled(&self, took: Option<Duration>) -> bool {
        match self.cancelled_from.load(Ordering::Relaxed) {
            0 => true,
            u64::MAX => false,
            from => took.is_some_and(|took| nanos(took) >= from),
        }
    }

    /// Whether a success would change nothing, in whatever period.
    #[inline]
    pub(crate) fn passes_over_successes(&self) -> bool {
        self.criteria.load(Ordering::Relaxed) & (FAILURE_RATE | SLOW_RATE) == 0
            && self.streak.count() == 0
    }

    /// Counts a call of `period`; returns the criterion that is now met, if this call counts
    /// against it.
    #[inline]
    pub(crate) fn record(
        &self,
        period: u64,
        reading: Reading,
        now: impl Fn() -> Moment,
    ) -> Option<Cause> {
        let Reading { failed, took } = reading;
        let criteria = self.criteria.load(Ordering::Relaxed);
        let mut cause = None;
        if criteria & SLOW_RATE != 0 {
            let slow = took.is_some_and(|took| self.is_slow(took));
            self.slow.record(period, slow, &now);
            if slow && self.slow_limit.is_met_by(&self.slow, period, &now) {
                cause = Some(Cause::SlowCallRate);
            }
        }
        if criteria & FAILURE_RATE != 0 {
            self.failures.record(period, failed, &now);
            if failed && self.failure_limit.is_met_by(&self.failures, period, &now) {
                cause = Some(Cause::FailureRate);
            }
        }
        if !failed {
            self.streak.success(period);
        } else if let Some(row) = self.streak.failure(period)
            && criteria & ROW != 0
            && row >= self.row.load(Ordering::Relaxed)
        {
            cause = Some(Cause::ConsecutiveFailures);
        }
        cause
    }

    pub(crate) fn row(&self) -> u32 {
        self.streak.count()
    }

    pub(crate) fn failures(&self, period: u64, now: Moment) -> Option<Tally> {
        (self.criteria.load(Ordering::Relaxed) & FAILURE_RATE != 0)
            .then(|| self.failures.tally(period, || now))
    }

    pub(crate) fn slow_calls(&self, period: u64, now: Moment) -> Option<Tally> {
        (self.criteria.load(Ordering::Relaxed) & SLOW_RATE != 0)
            .then(|| self.slow.tally(period, || now))
    }
}

/// A share in millionths (upper half) and a minimum of calls (lower half).
#[derive(Debug)]
struct Limit(AtomicU64);

impl Limit {
    fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    fn set(&self, rate: Option<&Rate>) {
        let word = rate
            .map_or(0, |rate| u64::from(rate.share.millionths()) << 32 | u64::from(rate.min_calls));
        self.0.store(word, Ordering::Relaxed);
    }

    /// Whether a window that a call was just recorded in meets the limit.
    ///
    /// The calls that meet a limit together may each look before they see the other in another
    /// word; then none would trip. The fence lies between writing and looking, so that of any two
    /// such calls the one whose fence is later sees what the other wrote.
    #[cold]
    fn is_met_by(&self, window: &SlidingWindow, period: u64, now: impl FnOnce() -> Moment) -> bool {
        fence(Ordering::SeqCst);
        self.is_reached(window.tally(period, now))
    }

    fn is_reached(&self, tally: Tally) -> bool {
        let word = self.0.load(Ordering::Relaxed);
        let min_calls = word & u64::from(u32::MAX);
        let share = Ratio::from_millionths((word >> 32) as u32);
        tally.total >= min_calls && share.reached_by(tally.bad, tally.total)
    }
}

#[cfg(all(test, not(tower_failover_loom)))]
mod tests;
