use std::time::Duration;

use super::{Cancelled, PolicyError, Rate, Window};
use crate::logic::{Backoff, Ratio};

/// When a circuit trips, how long it stays open, and how it comes back.
///
/// | setting | unit | default | allowed |
/// |---|---|---|---|
/// | [`consecutive_failures`](Self::consecutive_failures) | calls | 5 | at least 1 |
/// | [`failure_rate`](Self::failure_rate) | share of a window | 50 % of at least 10 calls in 10 s | see [`Rate`] |
/// | [`slow_calls`](Self::slow_calls) | time, share of a window | off | above zero; see [`Rate`] |
/// | [`open_for`](Self::open_for) | time | 1 s doubling to 30 s, 20 % jitter | see [`Backoff`] |
/// | [`longest_retry_after`](Self::longest_retry_after) | time | 60 s | any |
/// | [`probes`](Self::probes) | calls in flight | 1 | 1 to 1,000 |
/// | [`probe_deadline`](Self::probe_deadline) | time | 5 s | above zero |
/// | [`successes_to_close`](Self::successes_to_close) | calls | 1 | at least 1 |
/// | [`ramp_for`](Self::ramp_for) | time | off | above zero |
/// | [`cancelled`](Self::cancelled) | – | [`Cancelled::Ignored`] | any |
///
/// A circuit trips as soon as any one of its criteria is met. Rates are evaluated when a call
/// that counts against them is settled: a success never trips for failures.
///
/// ```
/// use std::time::Duration;
/// use tower_failover::{
///     Backoff, Ratio,
///     circuit_breaker::{Policy, Rate, Window},
/// };
///
/// const POLICY: Policy = Policy::consecutive(3)
///     .failure_rate(Rate::new(Ratio::percent(20), Window::Calls(100)).min_calls(50))
///     .open_for(Backoff::fixed(Duration::from_secs(2)))
///     .probes(2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Policy {
    pub(crate) consecutive_failures: Option<u32>,
    pub(crate) failure_rate: Option<Rate>,
    pub(crate) slow_calls: Option<(Duration, Rate)>,
    pub(crate) open_for: Backoff,
    pub(crate) longest_retry_after: Duration,
    pub(crate) probes: u32,
    pub(crate) probe_deadline: Duration,
    pub(crate) successes_to_close: u32,
    pub(crate) ramp_for: Option<Duration>,
    pub(crate) cancelled: Cancelled,
}

const DEFAULT_CONSECUTIVE_FAILURES: u32 = 5;
const DEFAULT_FAILURE_RATE: Rate =
    Rate::new(Ratio::percent(50), Window::Time(Duration::from_secs(10)));
const DEFAULT_OPEN_FOR: Backoff =
    Backoff::growing(Duration::from_secs(1), Duration::from_secs(30)).jitter(Ratio::percent(20));
const DEFAULT_LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);
const DEFAULT_PROBES: u32 = 1;
const DEFAULT_PROBE_DEADLINE: Duration = Duration::from_secs(5);
const DEFAULT_SUCCESSES_TO_CLOSE: u32 = 1;

/// Not a limit of the algorithm: the deadlines of all probes in flight are kept in a list.
const MOST_PROBES: u32 = 1_000;

impl Policy {
    /// The default: 5 failures in a row, or 50 % of at least 10 calls in 10 s.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            consecutive_failures: Some(DEFAULT_CONSECUTIVE_FAILURES),
            failure_rate: Some(DEFAULT_FAILURE_RATE),
            ..Self::manual()
        }
    }

    /// Trips after this many failures in a row, and on nothing else. The cheapest there is.
    #[must_use]
    pub const fn consecutive(failures: u32) -> Self {
        Self::manual().consecutive_failures(failures)
    }

    /// Trips on this failure rate, and on nothing else.
    #[must_use]
    pub const fn rate(rate: Rate) -> Self {
        Self::manual().failure_rate(rate)
    }

    /// Gives up early and looks again soon: 3 failures in a row or 30 % of at least 5 calls in
    /// 5 s, open for 200 ms doubling to 5 s. For a local cache with a good fallback.
    #[must_use]
    pub const fn eager() -> Self {
        Self::new()
            .consecutive_failures(3)
            .failure_rate(
                Rate::new(Ratio::percent(30), Window::Time(Duration::from_secs(5))).min_calls(5),
            )
            .open_for(
                Backoff::growing(Duration::from_millis(200), Duration::from_secs(5))
                    .jitter(Ratio::percent(20)),
            )
            .probe_deadline(Duration::from_secs(1))
    }

    /// Bears a lot and then rests: 80 % of at least 50 calls in 60 s, open for 10 s doubling to
    /// 2 min, three successes to close, a ramp of 10 s. For a backend that a return would crush.
    #[must_use]
    pub const fn patient() -> Self {
        Self::rate(
            Rate::new(Ratio::percent(80), Window::Time(Duration::from_secs(60))).min_calls(50),
        )
        .open_for(
            Backoff::growing(Duration::from_secs(10), Duration::from_secs(120))
                .jitter(Ratio::percent(20)),
        )
        .successes_to_close(3)
        .ramp_for(Duration::from_secs(10))
    }

    /// Never trips by itself; add criteria, or open it by hand.
    #[must_use]
    pub const fn manual() -> Self {
        Self {
            consecutive_failures: None,
            failure_rate: None,
            slow_calls: None,
            open_for: DEFAULT_OPEN_FOR,
            longest_retry_after: DEFAULT_LONGEST_RETRY_AFTER,
            probes: DEFAULT_PROBES,
            probe_deadline: DEFAULT_PROBE_DEADLINE,
            successes_to_close: DEFAULT_SUCCESSES_TO_CLOSE,
            ramp_for: None,
            cancelled: Cancelled::Ignored,
        }
    }

    /// Trips after this many failures in a row.
    #[must_use]
    pub const fn consecutive_failures(self, failures: u32) -> Self {
        Self { consecutive_failures: Some(failures), ..self }
    }

    /// Does not look at failures in a row.
    #[must_use]
    pub const fn without_consecutive_failures(self) -> Self {
        Self { consecutive_failures: None, ..self }
    }

    /// Trips on this share of failures.
    #[must_use]
    pub const fn failure_rate(self, rate: Rate) -> Self {
        Self { failure_rate: Some(rate), ..self }
    }

    /// Does not look at the failure rate.
    #[must_use]
    pub const fn without_failure_rate(self) -> Self {
        Self { failure_rate: None, ..self }
    }

    /// Trips on this share of calls that took at least `threshold`, whatever their outcome.
    ///
    /// Reads the clock twice a call. A slow probe opens the circuit again.
    #[must_use]
    pub const fn slow_calls(self, threshold: Duration, rate: Rate) -> Self {
        Self { slow_calls: Some((threshold, rate)), ..self }
    }

    /// Does not look at how long calls take.
    #[must_use]
    pub const fn without_slow_calls(self) -> Self {
        Self { slow_calls: None, ..self }
    }

    /// How long the circuit stays open, the first and every further time in a row.
    ///
    /// Closing by successful probes starts the row anew.
    #[must_use]
    pub const fn open_for(self, open_for: Backoff) -> Self {
        Self { open_for, ..self }
    }

    /// The longest open time a [classifier](crate::Classify::retry_after) may ask for.
    #[must_use]
    pub const fn longest_retry_after(self, longest: Duration) -> Self {
        Self { longest_retry_after: longest, ..self }
    }

    /// How many calls may be in flight while the circuit is half-open.
    #[must_use]
    pub const fn probes(self, probes: u32) -> Self {
        Self { probes, ..self }
    }

    /// How long a probe may take: one that takes longer has failed, and the circuit opens again.
    #[must_use]
    pub const fn probe_deadline(self, deadline: Duration) -> Self {
        Self { probe_deadline: deadline, ..self }
    }

    /// How many probes in a row must succeed to close the circuit.
    #[must_use]
    pub const fn successes_to_close(self, successes: u32) -> Self {
        Self { successes_to_close: successes, ..self }
    }

    /// After closing, lets a share of calls pass that grows to all of them over this time.
    #[must_use]
    pub const fn ramp_for(self, ramp: Duration) -> Self {
        Self { ramp_for: Some(ramp), ..self }
    }

    /// Lets all calls pass as soon as the circuit has closed.
    #[must_use]
    pub const fn without_ramp(self) -> Self {
        Self { ramp_for: None, ..self }
    }

    /// What a cancelled call says.
    #[must_use]
    pub const fn cancelled(self, cancelled: Cancelled) -> Self {
        Self { cancelled, ..self }
    }

    /// Whether counts taken under the other policy mean the same under this one.
    pub(crate) fn counts_like(&self, other: &Self) -> bool {
        let shape = |policy: &Self| {
            let slow = policy.slow_calls.map(|(threshold, rate)| (threshold, rate.window));
            (policy.failure_rate.map(|rate| rate.window), slow)
        };
        shape(self) == shape(other)
    }

    /// Checks every setting against its range.
    ///
    /// # Errors
    ///
    /// Names the first setting that is out of range, its value and the range.
    pub fn check(&self) -> Result<(), PolicyError> {
        PolicyError::unless(
            self.consecutive_failures != Some(0),
            "consecutive_failures",
            &0,
            "at least 1",
        )?;
        if let Some(rate) = &self.failure_rate {
            rate.check("failure_rate")?;
        }
        if let Some((threshold, rate)) = &self.slow_calls {
            PolicyError::unless(
                !threshold.is_zero(),
                "slow_calls.threshold",
                threshold,
                "above zero",
            )?;
            rate.check("slow_calls")?;
        }
        let probes = (1..=MOST_PROBES).contains(&self.probes);
        PolicyError::unless(probes, "probes", &self.probes, "1 to 1,000")?;
        PolicyError::unless(
            !self.probe_deadline.is_zero(),
            "probe_deadline",
            &self.probe_deadline,
            "above zero",
        )?;
        PolicyError::unless(self.successes_to_close > 0, "successes_to_close", &0, "at least 1")?;
        PolicyError::unless(
            self.ramp_for != Some(Duration::ZERO),
            "ramp_for",
            &Duration::ZERO,
            "above zero",
        )
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::new()
    }
}
