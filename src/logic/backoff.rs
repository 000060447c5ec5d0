use std::time::Duration;

use super::Ratio;

/// How long to wait after the first, second, third … failure in a row.
///
/// A wait is fixed, or grows by a factor up to a cap. Jitter then takes away a
/// random share of it, so that processes that failed together do not return
/// together: a jitter of 20 % on 10 s waits 8 to 10 s.
///
/// | setting | unit | allowed |
/// |---|---|---|
/// | wait, first, cap | time | above zero; cap not below first |
/// | factor | – | at least 1 |
/// | jitter | share of the wait | 0 to 100 % |
///
/// ```
/// use std::time::Duration;
/// use tower_failover::{Backoff, Ratio};
///
/// const BACKOFF: Backoff =
///     Backoff::growing(Duration::from_secs(1), Duration::from_secs(30)).jitter(Ratio::percent(20));
/// assert_eq!(BACKOFF.longest(), Duration::from_secs(30));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    factor: f64,
    jitter: Ratio,
}

impl Backoff {
    /// The same wait every time.
    ///
    /// # Panics
    ///
    /// If `wait` is zero.
    #[must_use]
    pub const fn fixed(wait: Duration) -> Self {
        Self::growing(wait, wait)
    }

    /// A wait that starts at `first` and doubles up to `cap`.
    ///
    /// # Panics
    ///
    /// If `first` is zero or above `cap`.
    #[must_use]
    pub const fn growing(first: Duration, cap: Duration) -> Self {
        assert!(!first.is_zero(), "the first wait of a backoff is above zero");
        assert!(
            first.as_nanos() <= cap.as_nanos(),
            "the cap of a backoff is not below its first wait"
        );
        Self { first, cap, factor: 2.0, jitter: Ratio::percent(0) }
    }

    /// Grows by this factor instead of doubling.
    ///
    /// # Panics
    ///
    /// If `factor` is below 1 or not finite.
    #[must_use]
    pub const fn factor(self, factor: f64) -> Self {
        assert!(
            factor >= 1.0 && factor.is_finite(),
            "the factor of a backoff is finite and at least 1"
        );
        Self { factor, ..self }
    }

    /// Takes away up to this share of each wait, at random. Default: nothing.
    #[must_use]
    pub const fn jitter(self, jitter: Ratio) -> Self {
        Self { jitter, ..self }
    }

    /// The longest wait there can be.
    #[must_use]
    pub const fn longest(&self) -> Duration {
        self.cap
    }

    /// The wait after `failures` failures in a row (counted from 1), `random` being evenly
    /// spread over 0 to 1.
    pub(crate) fn wait(&self, failures: u32, random: f64) -> Duration {
        let growth = self.factor.powi(failures.saturating_sub(1).min(10_000) as i32);
        let wait = (self.first.as_secs_f64() * growth).min(self.cap.as_secs_f64());
        let kept = 1.0 - self.jitter.get() * random.clamp(0.0, 1.0);
        // The longest durations round up to one that there is not.
        Duration::try_from_secs_f64(wait * kept).map_or(self.cap, |wait| wait.min(self.cap))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_fixed_wait_does_not_grow() {
        let backoff = Backoff::fixed(SECOND);
        assert!((1..100).all(|n| backoff.wait(n, 0.5) == SECOND));
    }

    #[test]
    fn a_growing_wait_doubles_up_to_its_cap() {
        let backoff = Backoff::growing(SECOND, 5 * SECOND);
        let waits: Vec<_> = (1..=5).map(|n| backoff.wait(n, 0.0).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 5, 5]);
    }

    #[test]
    fn a_long_outage_does_not_overflow() {
        let backoff = Backoff::growing(SECOND, Duration::MAX / 2).factor(1e300);
        assert!(backoff.wait(u32::MAX, 0.0) <= backoff.longest());
    }

    #[test]
    fn the_longest_wait_there_is_does_not_panic() {
        let forever = Backoff::fixed(Duration::MAX);
        assert_eq!(forever.wait(1, 0.0), Duration::MAX);
        assert_eq!(Backoff::growing(SECOND, Duration::MAX).wait(u32::MAX, 0.0), Duration::MAX);
        let half = forever.jitter(Ratio::percent(100)).wait(1, 0.5);
        assert!(half < Duration::MAX.mul_f64(0.51));
    }

    #[test]
    fn jitter_takes_away_its_share_and_no_more() {
        let backoff = Backoff::fixed(10 * SECOND).jitter(Ratio::percent(20));
        assert_eq!(backoff.wait(1, 0.0), 10 * SECOND);
        assert_eq!(backoff.wait(1, 0.5), 9 * SECOND);
        assert_eq!(backoff.wait(1, 1.0), 8 * SECOND);
        assert_eq!(backoff.wait(1, 2.0), 8 * SECOND);
    }

    #[test]
    fn a_wait_grows_by_the_factor_that_was_set() {
        let backoff = Backoff::growing(SECOND, 100 * SECOND).factor(3.0);
        let waits: Vec<_> = (0..=5).map(|n| backoff.wait(n, 0.0).as_secs()).collect();
        assert_eq!(waits, [1, 1, 3, 9, 27, 81]);
    }

    #[test]
    #[should_panic(expected = "above zero")]
    fn a_wait_of_nothing_is_refused() {
        let _ = Backoff::fixed(Duration::ZERO);
    }

    #[test]
    #[should_panic(expected = "not below its first wait")]
    fn a_cap_below_the_first_wait_is_refused() {
        let _ = Backoff::growing(2 * SECOND, SECOND);
    }

    #[test]
    #[should_panic(expected = "at least 1")]
    fn a_factor_that_shrinks_is_refused() {
        let _ = Backoff::fixed(SECOND).factor(0.99);
    }

    #[test]
    #[should_panic(expected = "finite")]
    fn a_factor_without_end_is_refused() {
        let _ = Backoff::fixed(SECOND).factor(f64::INFINITY);
    }

    proptest! {
        #[test]
        fn a_wait_stays_between_its_jittered_first_and_its_cap(
            first in 1u64..100_000, more in 0u64..1_000_000, factor in 1.0f64..10.0,
            jitter in 0u32..=100, failures in 0u32.., random in 0.0f64..=1.0,
        ) {
            let first = Duration::from_millis(first);
            let backoff = Backoff::growing(first, first + Duration::from_millis(more))
                .factor(factor)
                .jitter(Ratio::percent(jitter));
            let wait = backoff.wait(failures, random);
            let least = first.mul_f64(1.0 - f64::from(jitter) / 100.0);
            prop_assert!(wait <= backoff.longest());
            prop_assert!(wait + Duration::from_nanos(2) >= least, "{wait:?} < {least:?}");
        }
    }
}
