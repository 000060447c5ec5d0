use std::{error::Error, fmt, iter, time::Duration};

use super::Grade;
use crate::{clock, event::Name, logic::Moment};

/// The error of a call that was refused because of the health of its target: since when, why, and
/// when to come back.
///
/// Services over a target's health have `Error = BoxError`; downcast to find this.
#[derive(Clone)]
pub struct Unhealthy {
    target: Name,
    grade: Grade,
    since: Moment,
    reason: Name,
    until: Moment,
}

impl Unhealthy {
    /// `until` is `NEVER` if it is not known.
    pub(super) fn new(
        target: Name,
        grade: Grade,
        since: Moment,
        reason: Name,
        until: Moment,
    ) -> Self {
        Self { target, grade, since, reason, until }
    }

    /// The refusal in an error of a service: the error itself, or one among its sources.
    ///
    /// For a boxed error, pass `&*error`.
    #[must_use]
    pub fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        iter::successors(Some(error), |error| (*error).source()).find_map(<dyn Error>::downcast_ref)
    }

    /// The target.
    #[must_use]
    pub fn target(&self) -> &str {
        self.target.as_str()
    }

    /// What it was called: [`Grade::Unhealthy`], or [`Grade::Unknown`] if the policy lets no call
    /// pass before the first check.
    #[must_use]
    pub fn grade(&self) -> Grade {
        self.grade
    }

    /// For how long it has been so, counted until now and not until the refusal.
    #[must_use]
    pub fn since(&self) -> Duration {
        clock::now() - self.since
    }

    /// Why: the last error with its causes, or what else it was; without passwords in addresses, and
    /// cut after 256 bytes.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.reason.as_str()
    }

    /// The time until its monitor can at the earliest say that it is back, unless somebody asks it for
    /// [a check](super::Health::check_now) before. Without a monitor, the time until the circuit that
    /// [called it down](super::Signals) probes it, or `None`.
    ///
    /// Counted from now, not from the refusal.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        (self.until != Moment::NEVER).then(|| self.until - clock::now())
    }
}

impl fmt::Display for Unhealthy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, grade, reason, .. } = self;
        write!(f, "{target} has been {grade} for {:?} ({reason})", self.since())?;
        match self.retry_after() {
            Some(wait) => write!(f, ": back in {wait:?} at the earliest"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Unhealthy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unhealthy")
            .field("target", &self.target)
            .field("grade", &self.grade)
            .field("since", &self.since())
            .field("reason", &self.reason)
            .field("retry_after", &self.retry_after())
            .finish()
    }
}

impl Error for Unhealthy {}
