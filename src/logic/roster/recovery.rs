use std::time::Duration;

use crate::logic::{Backoff, Ratio, policy::PolicyError};

/// When a backend that was left serves again.
///
/// It has to pass [`threshold`](Self::threshold) checks in a row, and to wait: the wait is counted
/// from the first good check, and the check at its end is one of those it has to pass. One bad
/// check starts both anew. If no other backend can serve, the first good check is enough.
///
/// | setting | unit | default | allowed |
/// |---|---|---|---|
/// | [`threshold`](Self::threshold) | good checks in a row | 3 | at least 1 |
/// | [`delay`](Self::delay) | time | 10 s doubling to 5 min, 20 % jitter | see [`Backoff`] |
/// | [`check_every`](Self::check_every) | time | 1 s | above zero |
/// | [`stable_after`](Self::stable_after) | time | 1 min | any |
/// | [`gradual`](Self::gradual) | time | off | above zero |
/// | [`first_share`](Self::first_share) | share of the calls | 10 % | any |
///
/// ```
/// use std::time::Duration;
/// use tower_failover::{Backoff, failover::Recovery};
///
/// const RECOVERY: Recovery = Recovery::new()
///     .delay(Backoff::fixed(Duration::from_secs(30)))
///     .gradual(Duration::from_secs(60));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Recovery {
    pub(crate) threshold: u32,
    pub(crate) delay: Backoff,
    pub(crate) check_every: Duration,
    pub(crate) stable_after: Duration,
    pub(crate) gradual: Option<Duration>,
    pub(crate) first_share: Ratio,
}

const DEFAULT_THRESHOLD: u32 = 3;
const DEFAULT_DELAY: Backoff =
    Backoff::growing(Duration::from_secs(10), Duration::from_secs(300)).jitter(Ratio::percent(20));
const DEFAULT_CHECK_EVERY: Duration = Duration::from_secs(1);
const DEFAULT_STABLE_AFTER: Duration = Duration::from_secs(60);
const DEFAULT_FIRST_SHARE: Ratio = Ratio::percent(10);

impl Recovery {
    /// The default: three good checks, and 10 s that grow if it is left again soon.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            threshold: DEFAULT_THRESHOLD,
            delay: DEFAULT_DELAY,
            check_every: DEFAULT_CHECK_EVERY,
            stable_after: DEFAULT_STABLE_AFTER,
            gradual: None,
            first_share: DEFAULT_FIRST_SHARE,
        }
    }

    /// How many checks in a row must be good.
    #[must_use]
    pub const fn threshold(self, checks: u32) -> Self {
        Self { threshold: checks, ..self }
    }

    /// How long to wait from the first good check on, the first and every further time in a row
    /// that the backend is left.
    #[must_use]
    pub const fn delay(self, delay: Backoff) -> Self {
        Self { delay, ..self }
    }

    /// How often a backend that was left is checked.
    #[must_use]
    pub const fn check_every(self, interval: Duration) -> Self {
        Self { check_every: interval, ..self }
    }

    /// A backend that was usable for this long starts the row of waits anew when it is left.
    #[must_use]
    pub const fn stable_after(self, stable: Duration) -> Self {
        Self { stable_after: stable, ..self }
    }

    /// A better backend that is back gets a share of the calls that grows to all of them over this
    /// time; the one that served before gets the rest.
    #[must_use]
    pub const fn gradual(self, gradual: Duration) -> Self {
        Self { gradual: Some(gradual), ..self }
    }

    /// A better backend that is back gets all calls at once.
    #[must_use]
    pub const fn at_once(self) -> Self {
        Self { gradual: None, ..self }
    }

    /// The share that a gradual recovery begins with.
    #[must_use]
    pub const fn first_share(self, share: Ratio) -> Self {
        Self { first_share: share, ..self }
    }

    /// Checks every setting against its range.
    ///
    /// # Errors
    ///
    /// Names the first setting that is out of range, its value and the range.
    pub fn check(&self) -> Result<(), PolicyError> {
        PolicyError::unless(self.threshold > 0, "recovery.threshold", &0, "at least 1")?;
        let interval = &self.check_every;
        PolicyError::unless(!interval.is_zero(), "recovery.check_every", interval, "above zero")?;
        let gradual = self.gradual != Some(Duration::ZERO);
        PolicyError::unless(gradual, "recovery.gradual", &Duration::ZERO, "above zero")
    }
}

impl Default for Recovery {
    fn default() -> Self {
        Self::new()
    }
}
