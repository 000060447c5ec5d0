use std::{
    ops::{Add, Sub},
    time::Duration,
};

/// A point in time: nanoseconds since an origin that the caller chose.
///
/// Fits an atomic word, lasts 584 years, saturates at both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    pub(crate) const ORIGIN: Self = Self(0);
    /// Later than every moment that is ever reached.
    pub(crate) const NEVER: Self = Self(u64::MAX);

    pub(crate) const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    pub(crate) const fn as_nanos(self) -> u64 {
        self.0
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }
}

impl Sub for Moment {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// A duration in nanoseconds, saturating.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stands_still_at_both_ends() {
        let second = Duration::from_secs(1);
        assert_eq!(Moment::NEVER + second, Moment::NEVER);
        assert_eq!(Moment::ORIGIN + Duration::MAX, Moment::NEVER);
        assert_eq!(Moment::ORIGIN - (Moment::ORIGIN + second), Duration::ZERO);
        assert_eq!((Moment::ORIGIN + 3 * second) - (Moment::ORIGIN + second), 2 * second);
        assert_eq!(nanos(second), 1_000_000_000);
        assert_eq!(nanos(Duration::MAX), u64::MAX);
    }
}
