use std::time::Duration;

use super::{Grade, Quorum, WhileUnknown};
use crate::logic::{Ratio, policy::PolicyError};

/// How often a target is checked, and what its checks mean.
///
/// | setting | unit | default | allowed |
/// |---|---|---|---|
/// | [`interval`](Self::interval) | time, from start to start | 1 s | 1 ms to 24 h |
/// | [`jitter`](Self::jitter) | share of the interval | 10 % | 0 to 50 % |
/// | [`timeout`](Self::timeout) | time, of a whole check | 500 ms | 1 ms up to the interval |
/// | [`probes_per_check`](Self::probes_per_check) | times each probe is run | 1 | 1 to 100 |
/// | [`quorum`](Self::quorum) | – | [`Quorum::All`] | any |
/// | [`fall`](Self::fall) | bad checks in a row | 3 | 1 to 1,000 |
/// | [`rise`](Self::rise) | good checks in a row | 2 | 1 to 1,000 |
/// | [`slow_factor`](Self::slow_factor) | times the baseline | 3.0 | at least 1 |
/// | [`slow_margin`](Self::slow_margin) | time above the baseline | 1 ms | any |
/// | [`latency_half_life`](Self::latency_half_life) | time | 2 s; twice the interval if that is more | above zero |
/// | [`baseline_half_life`](Self::baseline_half_life) | time | 5 min | above zero |
/// | [`success_floor`](Self::success_floor) | share of the last 20 checks | 80 % | any; 0 % is off |
/// | [`while_unknown`](Self::while_unknown) | – | [`WhileUnknown::Pass`] | any |
///
/// ```
/// use std::time::Duration;
/// use tower_failover::health::Policy;
///
/// const POLICY: Policy =
///     Policy::new().interval(Duration::from_millis(200)).timeout(Duration::from_millis(100)).fall(2);
/// assert_eq!(POLICY.detects_within(), Duration::from_millis(500));
/// assert_eq!(Policy::new().detects_within(), Duration::from_millis(3_500));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Policy {
    pub(crate) interval: Duration,
    pub(crate) jitter: Ratio,
    pub(crate) timeout: Duration,
    pub(crate) probes_per_check: u32,
    pub(crate) quorum: Quorum,
    pub(crate) fall: u32,
    pub(crate) rise: u32,
    pub(crate) slow_factor: Option<f64>,
    pub(crate) slow_margin: Duration,
    pub(crate) latency_half_life: Duration,
    pub(crate) baseline_half_life: Duration,
    pub(crate) success_floor: Ratio,
    pub(crate) while_unknown: WhileUnknown,
}

const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);
const DEFAULT_JITTER: Ratio = Ratio::percent(10);
const DEFAULT_TIMEOUT: Duration = Duration::from_millis(500);
const DEFAULT_PROBES_PER_CHECK: u32 = 1;
const DEFAULT_FALL: u32 = 3;
const DEFAULT_RISE: u32 = 2;
const DEFAULT_SLOW_FACTOR: f64 = 3.0;
const DEFAULT_SLOW_MARGIN: Duration = Duration::from_millis(1);
const DEFAULT_LATENCY_HALF_LIFE: Duration = Duration::from_secs(2);
const DEFAULT_BASELINE_HALF_LIFE: Duration = Duration::from_secs(300);
const DEFAULT_SUCCESS_FLOOR: Ratio = Ratio::percent(80);

const LEAST_TIME: Duration = Duration::from_millis(1);
const MOST_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);
const MOST_JITTER: Ratio = Ratio::percent(50);
/// All probes of a check run at the same time.
const MOST_PROBES: u32 = 100;
const MOST_IN_A_ROW: u32 = 1_000;

impl Policy {
    /// The default: a check a second, unhealthy after 3 bad ones in a row, back after 2 good ones.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            interval: DEFAULT_INTERVAL,
            jitter: DEFAULT_JITTER,
            timeout: DEFAULT_TIMEOUT,
            probes_per_check: DEFAULT_PROBES_PER_CHECK,
            quorum: Quorum::All,
            fall: DEFAULT_FALL,
            rise: DEFAULT_RISE,
            slow_factor: Some(DEFAULT_SLOW_FACTOR),
            slow_margin: DEFAULT_SLOW_MARGIN,
            latency_half_life: DEFAULT_LATENCY_HALF_LIFE,
            baseline_half_life: DEFAULT_BASELINE_HALF_LIFE,
            success_floor: DEFAULT_SUCCESS_FLOOR,
            while_unknown: WhileUnknown::Pass,
        }
    }

    /// The longest time from the start of one check to the start of the next.
    #[must_use]
    pub const fn interval(self, interval: Duration) -> Self {
        Self { interval, ..self }
    }

    /// Shortens each interval by a random share, up to this one, so that the checks of many
    /// processes do not fall together.
    #[must_use]
    pub const fn jitter(self, jitter: Ratio) -> Self {
        Self { jitter, ..self }
    }

    /// How long a check may take, with all its probes: one that takes longer is bad.
    #[must_use]
    pub const fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// How often each probe is run in one check. All of them run at the same time.
    #[must_use]
    pub const fn probes_per_check(self, probes: u32) -> Self {
        Self { probes_per_check: probes, ..self }
    }

    /// How many of the probes of one check must succeed for the check to be good.
    #[must_use]
    pub const fn quorum(self, quorum: Quorum) -> Self {
        Self { quorum, ..self }
    }

    /// After how many bad checks in a row a target is unhealthy.
    #[must_use]
    pub const fn fall(self, fall: u32) -> Self {
        Self { fall, ..self }
    }

    /// After how many good checks in a row an unhealthy target is back.
    #[must_use]
    pub const fn rise(self, rise: u32) -> Self {
        Self { rise, ..self }
    }

    /// A target is degraded while its checks take on average more than this many times its
    /// baseline, and longer than the baseline and [`slow_margin`](Self::slow_margin) together.
    #[must_use]
    pub const fn slow_factor(self, factor: f64) -> Self {
        Self { slow_factor: Some(factor), ..self }
    }

    /// Does not look at how long checks take.
    #[must_use]
    pub const fn without_slow_factor(self) -> Self {
        Self { slow_factor: None, ..self }
    }

    /// What is no further than this above the baseline is not slow.
    #[must_use]
    pub const fn slow_margin(self, margin: Duration) -> Self {
        Self { slow_margin: margin, ..self }
    }

    /// In the average of the latency, what is this old counts half.
    #[must_use]
    pub const fn latency_half_life(self, half_life: Duration) -> Self {
        Self { latency_half_life: half_life, ..self }
    }

    /// In the baseline, what is this old counts half. A target that is degraded or unhealthy does
    /// not change its baseline.
    #[must_use]
    pub const fn baseline_half_life(self, half_life: Duration) -> Self {
        Self { baseline_half_life: half_life, ..self }
    }

    /// A target is degraded while less than this share of its last 20 checks was good, or of those
    /// since it came back, if they are at least 10.
    #[must_use]
    pub const fn success_floor(self, floor: Ratio) -> Self {
        Self { success_floor: floor, ..self }
    }

    /// What becomes of calls before the first check has ended.
    #[must_use]
    pub const fn while_unknown(self, calls: WhileUnknown) -> Self {
        Self { while_unknown: calls, ..self }
    }

    /// The longest time from when a target stops answering until it is called unhealthy:
    /// `fall · interval + timeout`.
    #[must_use]
    pub const fn detects_within(&self) -> Duration {
        self.interval.saturating_mul(self.fall).saturating_add(self.timeout)
    }

    /// The longest time from when an unhealthy target answers again until it is called so:
    /// `rise · interval + timeout`.
    #[must_use]
    pub const fn recovers_within(&self) -> Duration {
        self.interval.saturating_mul(self.rise).saturating_add(self.timeout)
    }

    /// Whether calls to a target of this grade are refused.
    pub(crate) fn refuses(&self, grade: Grade) -> bool {
        match grade {
            Grade::Unhealthy => true,
            Grade::Unknown => self.while_unknown != WhileUnknown::Pass,
            Grade::Healthy | Grade::Degraded => false,
        }
    }

    /// From which average on a target with this baseline is slow.
    pub(crate) fn slow_from(&self, baseline: Duration) -> Option<Duration> {
        let times = Duration::try_from_secs_f64(baseline.as_secs_f64() * self.slow_factor?);
        Some(times.unwrap_or(Duration::MAX).max(baseline.saturating_add(self.slow_margin)))
    }

    /// Checks every setting against its range.
    ///
    /// # Errors
    ///
    /// Names the first setting that is out of range, its value and the range.
    pub fn check(&self) -> Result<(), PolicyError> {
        self.check_each().map_err(|error| error.of("health"))
    }

    fn check_each(&self) -> Result<(), PolicyError> {
        let unless = PolicyError::unless;
        let Self { interval, jitter, timeout, probes_per_check, fall, rise, .. } = self;
        let valid = (LEAST_TIME..=MOST_INTERVAL).contains(interval);
        unless(valid, "interval", interval, "1 ms to 24 h")?;
        unless(*jitter <= MOST_JITTER, "jitter", jitter, "0 to 50 %")?;
        let valid = (LEAST_TIME..=*interval).contains(timeout);
        unless(valid, "timeout", timeout, "1 ms up to the interval")?;
        let valid = (1..=MOST_PROBES).contains(probes_per_check);
        unless(valid, "probes_per_check", probes_per_check, "1 to 100")?;
        unless((1..=MOST_IN_A_ROW).contains(fall), "fall", fall, "1 to 1,000")?;
        unless((1..=MOST_IN_A_ROW).contains(rise), "rise", rise, "1 to 1,000")?;
        let valid = self.slow_factor.is_none_or(|factor| factor >= 1.0 && factor.is_finite());
        unless(valid, "slow_factor", &self.slow_factor, "finite and at least 1")?;
        let half_life = &self.latency_half_life;
        unless(!half_life.is_zero(), "latency_half_life", half_life, "above zero")?;
        let half_life = &self.baseline_half_life;
        unless(!half_life.is_zero(), "baseline_half_life", half_life, "above zero")
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
