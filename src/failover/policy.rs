use std::time::Duration;

use super::{Mode, PolicyError, Recovery, Weights};
use crate::logic::roster::Rules;

/// How often and how long a call is tried, when a backend is left and when it is gone back to.
///
/// | setting | unit | default | allowed |
/// |---|---|---|---|
/// | [`attempts`](Self::attempts) | calls | 3 | 1 to 100 |
/// | [`attempt_timeout`](Self::attempt_timeout) | time | 1 s | at least 10 ms |
/// | [`cancelled_after`](Self::cancelled_after) | time | half an attempt | any |
/// | [`mode`](Self::mode) | – | [`Mode::AtOnce`] | any |
/// | [`leave_after`](Self::leave_after) | failures in a row | 1 | at least 1 |
/// | [`leaves_degraded`](Self::leaves_degraded) | – | yes | any |
/// | [`cascade_within`](Self::cascade_within) | time | 10 s | any |
/// | [`recovery`](Self::recovery) | – | see [`Recovery`] | see [`Recovery`] |
/// | [`weights`](Self::weights) | shares | see [`Weights`] | any |
///
/// ```
/// use std::time::Duration;
/// use tower_failover::failover::{Mode, Policy};
///
/// const POLICY: Policy = Policy::new().attempts(2).attempt_timeout(Duration::from_millis(250));
/// assert_eq!(POLICY.budget(), Duration::from_millis(500));
/// # let _ = POLICY.mode(Mode::ByHealth);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Policy {
    pub(super) attempts: u32,
    pub(super) attempt_timeout: Duration,
    cancelled_after: Option<Duration>,
    pub(super) mode: Mode,
    pub(super) leave_after: u32,
    pub(super) leaves_degraded: bool,
    pub(super) cascade_within: Duration,
    pub(super) recovery: Recovery,
    pub(super) weights: Weights,
}

const DEFAULT_ATTEMPTS: u32 = 3;
const DEFAULT_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(1);
const DEFAULT_LEAVE_AFTER: u32 = 1;
const DEFAULT_CASCADE_WITHIN: Duration = Duration::from_secs(10);

/// Not a limit of the algorithm: a call remembers whom it tried.
const MOST_ATTEMPTS: u32 = 100;

/// Tokio's timers count whole milliseconds and are up to two of them late.
const SHORTEST_ATTEMPT: Duration = Duration::from_millis(10);

impl Policy {
    /// The default: three attempts of a second each, and a backend is left at its first failure.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            attempts: DEFAULT_ATTEMPTS,
            attempt_timeout: DEFAULT_ATTEMPT_TIMEOUT,
            cancelled_after: None,
            mode: Mode::AtOnce,
            leave_after: DEFAULT_LEAVE_AFTER,
            leaves_degraded: true,
            cascade_within: DEFAULT_CASCADE_WITHIN,
            recovery: Recovery::new(),
            weights: Weights::new(),
        }
    }

    /// How many backends a call is sent to at most.
    #[must_use]
    pub const fn attempts(self, attempts: u32) -> Self {
        Self { attempts, ..self }
    }

    /// How long an attempt may take, the backend's readiness included.
    #[must_use]
    pub const fn attempt_timeout(self, timeout: Duration) -> Self {
        Self { attempt_timeout: timeout, ..self }
    }

    /// How long an attempt has to have waited for its backend for the backend to be charged with a
    /// timeout when the caller gives the call up; sooner, that says nothing.
    ///
    /// Without it callers with a timeout of their own that is shorter than an attempt would never
    /// leave a backend that hangs. `Duration::MAX` charges it with no call that was given up.
    #[must_use]
    pub const fn cancelled_after(self, after: Duration) -> Self {
        Self { cancelled_after: Some(after), ..self }
    }

    /// What makes a call leave a backend.
    #[must_use]
    pub const fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// After how many failures in a row a backend is left, in the mode [`Mode::AtOnce`], if another
    /// can serve.
    #[must_use]
    pub const fn leave_after(self, failures: u32) -> Self {
        Self { leave_after: failures, ..self }
    }

    /// Whether a backend that its health calls degraded is left while there is a better one.
    #[must_use]
    pub const fn leaves_degraded(self, leaves: bool) -> Self {
        Self { leaves_degraded: leaves, ..self }
    }

    /// A backend that is left so soon after it took over was a cascade, and the switch says so.
    #[must_use]
    pub const fn cascade_within(self, within: Duration) -> Self {
        Self { cascade_within: within, ..self }
    }

    /// How a backend that was left is gone back to.
    #[must_use]
    pub const fn recovery(self, recovery: Recovery) -> Self {
        Self { recovery, ..self }
    }

    /// What makes a backend look better than another of its tier.
    #[must_use]
    pub const fn weights(self, weights: Weights) -> Self {
        Self { weights, ..self }
    }

    /// The longest that a call takes: all its attempts together. Tokio's timers may add 2 ms to each
    /// attempt.
    #[must_use]
    pub const fn budget(&self) -> Duration {
        self.attempt_timeout.saturating_mul(self.attempts)
    }

    /// Checks every setting against its range.
    ///
    /// # Errors
    ///
    /// Names the first setting that is out of range, its value and the range.
    pub fn check(&self) -> Result<(), PolicyError> {
        self.check_all().map_err(|error| error.of("failover"))
    }

    fn check_all(&self) -> Result<(), PolicyError> {
        let attempts = (1..=MOST_ATTEMPTS).contains(&self.attempts);
        PolicyError::unless(attempts, "attempts", &self.attempts, "1 to 100")?;
        let timeout = self.attempt_timeout;
        let is_long = timeout >= SHORTEST_ATTEMPT;
        PolicyError::unless(is_long, "attempt_timeout", &timeout, "at least 10ms")?;
        PolicyError::unless(self.leave_after > 0, "leave_after", &0, "at least 1")?;
        self.recovery.check()
    }

    /// Whether an attempt that was given up after this time says something of its backend.
    pub(super) fn charges_after(&self, waited: Duration) -> bool {
        waited >= self.cancelled_after.unwrap_or(self.attempt_timeout / 2)
    }

    pub(super) const fn rules(&self) -> Rules {
        Rules {
            recovery: self.recovery,
            leaves_degraded: self.leaves_degraded,
            cascade_within: self.cascade_within,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::new()
    }
}
