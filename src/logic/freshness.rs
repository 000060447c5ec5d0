use std::time::Duration;

use super::{Moment, Ratio};

/// Until when an answer is fresh, and until when it may be used at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Freshness {
    fresh_until: Moment,
    stale_until: Moment,
}

/// How good an answer still is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Fresh,
    Stale,
    Past,
}

impl Freshness {
    /// Of an answer that was `age` old at `loaded_at`.
    ///
    /// Jitter takes away a random share of both limits, the same of each, so that what was loaded
    /// together does not end together; `random` is evenly spread over 0 to 1.
    pub(crate) fn new(
        loaded_at: Moment,
        age: Duration,
        fresh_for: Duration,
        stale_for: Duration,
        jitter: Ratio,
        random: f64,
    ) -> Self {
        let kept = 1.0 - jitter.get() * random.clamp(0.0, 1.0);
        let fresh_for = share(fresh_for, kept);
        let end = fresh_for.saturating_add(share(stale_for, kept));
        let fresh_until = loaded_at + fresh_for.saturating_sub(age);
        let stale_until = loaded_at + end.saturating_sub(age);
        Self { fresh_until, stale_until }
    }

    pub(crate) fn at(&self, now: Moment) -> Condition {
        if now < self.fresh_until {
            Condition::Fresh
        } else if now < self.stale_until {
            Condition::Stale
        } else {
            Condition::Past
        }
    }

    /// Whether this part of the time from `loaded_at` to the end of freshness is over.
    pub(crate) fn is_over(&self, part: Ratio, loaded_at: Moment, now: Moment) -> bool {
        now >= loaded_at + share(self.fresh_until - loaded_at, part.get())
    }

    pub(crate) fn stale_until(&self) -> Moment {
        self.stale_until
    }
}

/// Exact at both ends; the longest durations round up to one that there is not.
fn share(whole: Duration, share: f64) -> Duration {
    if share >= 1.0 {
        return whole;
    }
    Duration::try_from_secs_f64(whole.as_secs_f64() * share).map_or(whole, |part| part.min(whole))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LOADED: Moment = Moment::from_nanos(1_000_000_000_000);
    const SECOND: Duration = Duration::from_secs(1);

    fn plain(fresh_for: Duration, stale_for: Duration) -> Freshness {
        Freshness::new(LOADED, Duration::ZERO, fresh_for, stale_for, Ratio::percent(0), 0.5)
    }

    fn nanos(nanos: u64) -> Duration {
        Duration::from_nanos(nanos)
    }

    #[test]
    fn an_answer_is_fresh_then_stale_then_past_to_the_nanosecond() {
        let freshness = plain(10 * SECOND, 5 * SECOND);
        let at = |after| freshness.at(LOADED + after);
        assert_eq!(at(Duration::ZERO), Condition::Fresh);
        assert_eq!(at(10 * SECOND - nanos(1)), Condition::Fresh);
        assert_eq!(at(10 * SECOND), Condition::Stale);
        assert_eq!(at(15 * SECOND - nanos(1)), Condition::Stale);
        assert_eq!(at(15 * SECOND), Condition::Past);
    }

    #[test]
    fn an_answer_that_was_old_when_it_came_ends_earlier() {
        let freshness =
            |age| Freshness::new(LOADED, age, 10 * SECOND, 5 * SECOND, Ratio::percent(0), 0.0);
        assert_eq!(freshness(4 * SECOND).at(LOADED + 6 * SECOND), Condition::Stale);
        assert_eq!(freshness(4 * SECOND).at(LOADED + 11 * SECOND), Condition::Past);
        assert_eq!(freshness(12 * SECOND).at(LOADED), Condition::Stale);
        assert_eq!(freshness(12 * SECOND).at(LOADED + 3 * SECOND), Condition::Past);
        assert_eq!(freshness(Duration::MAX).at(LOADED), Condition::Past);
    }

    #[test]
    fn an_answer_without_a_stale_time_is_past_when_it_is_fresh_no_more() {
        assert_eq!(plain(SECOND, Duration::ZERO).at(LOADED + SECOND), Condition::Past);
        assert_eq!(plain(Duration::ZERO, Duration::ZERO).at(LOADED), Condition::Past);
    }

    #[test]
    fn an_answer_that_is_never_past_does_not_overflow() {
        let freshness = plain(Duration::MAX, Duration::MAX);
        assert_eq!(freshness.at(Moment::from_nanos(u64::MAX - 1)), Condition::Fresh);
    }

    #[test]
    fn a_part_of_the_fresh_time_is_over_to_the_nanosecond() {
        let freshness = plain(10 * SECOND, SECOND);
        let is_over = |after| freshness.is_over(Ratio::percent(80), LOADED, LOADED + after);
        assert!(!is_over(8 * SECOND - nanos(1)));
        assert!(is_over(8 * SECOND));
        assert!(freshness.is_over(Ratio::percent(0), LOADED, LOADED));
        assert!(!freshness.is_over(Ratio::percent(100), LOADED, LOADED + (10 * SECOND - nanos(1))));
    }

    proptest! {
        #[test]
        fn jitter_shortens_both_limits_by_no_more_than_its_share(
            fresh in 0u64..1_000_000, stale in 0u64..1_000_000, percent in 0u32..=100,
            random in 0.0f64..=1.0,
        ) {
            let (fresh, stale) = (Duration::from_millis(fresh), Duration::from_millis(stale));
            let jittered =
                Freshness::new(LOADED, Duration::ZERO, fresh, stale, Ratio::percent(percent), random);
            let least = 1.0 - f64::from(percent) / 100.0;
            let fresh_for = jittered.fresh_until - LOADED;
            let whole = jittered.stale_until() - LOADED;
            prop_assert!(fresh_for <= fresh && whole <= fresh + stale);
            prop_assert!(fresh_for + nanos(2) >= fresh.mul_f64(least));
            prop_assert!(whole + nanos(4) >= (fresh + stale).mul_f64(least));
            prop_assert!(whole >= fresh_for);
        }
    }
}
