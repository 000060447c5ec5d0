use std::{error::Error, fmt, sync::Arc, time::Duration};

use crate::event::Name;

/// The error of a call for which there was no backend left: none is fit, or all that are have failed
/// it.
///
/// A cheap clone. The failover goes on looking for one that is back.
#[derive(Clone)]
pub struct NoBackend(Arc<Inner>);

struct Inner {
    failover: Name,
    reasons: Vec<(Name, Name)>,
    retry_after: Option<Duration>,
    may_have_run: bool,
}

impl NoBackend {
    pub(super) fn new(
        failover: Name,
        reasons: Vec<(Name, Name)>,
        retry_after: Option<Duration>,
        may_have_run: bool,
    ) -> Self {
        Self(Arc::new(Inner { failover, reasons, retry_after, may_have_run }))
    }

    /// The failover.
    #[must_use]
    pub fn failover(&self) -> &Name {
        &self.0.failover
    }

    /// The backends by name, and why each of them does not serve.
    ///
    /// Messages are cut after 256 bytes; a user and a password in an address are left out.
    pub fn reasons(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.reasons.iter().map(|(backend, why)| (backend.as_str(), why.as_str()))
    }

    /// The time, counted from the failure, after which a backend may be back at the earliest; `None`
    /// if that takes a hand.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Whether one of the backends may have run the call.
    ///
    /// Only calls that may [always](super::Repeat::Always) be repeated are tried on.
    #[must_use]
    pub fn may_have_run(&self) -> bool {
        self.0.may_have_run
    }
}

impl fmt::Display for NoBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no backend of {} is left", self.failover())?;
        for (n, (backend, why)) in self.reasons().enumerate() {
            write!(f, "{}{backend} ({why})", if n == 0 { ": " } else { ", " })?;
        }
        Ok(())
    }
}

impl fmt::Debug for NoBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NoBackend")
            .field("failover", self.failover())
            .field("reasons", &self.0.reasons)
            .field("retry_after", &self.retry_after())
            .field("may_have_run", &self.may_have_run())
            .finish()
    }
}

impl Error for NoBackend {}
