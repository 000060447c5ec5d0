use std::{error::Error, fmt, io, iter};

use super::NoBackend;
use crate::{BoxError, circuit_breaker::Open, event::Name, health::Unhealthy};

/// The error of a call that failed and may have run.
///
/// A call that is repeated [if it was not applied](super::Repeat::IfNotApplied) ends in it when it was
/// therefore not repeated. One that may [always](super::Repeat::Always) be repeated ends in it when its
/// last error says that nothing ran, but an earlier attempt may have. What went wrong last is its
/// [source](Error::source).
pub struct MayHaveRun {
    backend: Name,
    source: BoxError,
}

impl MayHaveRun {
    pub(super) const fn new(backend: Name, source: BoxError) -> Self {
        Self { backend, source }
    }

    /// The backend that may have run it.
    #[must_use]
    pub const fn backend(&self) -> &Name {
        &self.backend
    }

    /// What went wrong.
    #[must_use]
    pub fn get_ref(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.source
    }

    /// What went wrong.
    #[must_use]
    pub fn into_inner(self) -> BoxError {
        self.source
    }
}

impl fmt::Display for MayHaveRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a call failed on backend {} that may have run there", self.backend)
    }
}

impl fmt::Debug for MayHaveRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MayHaveRun")
            .field("backend", &self.backend)
            .field("source", &self.source)
            .finish()
    }
}

impl Error for MayHaveRun {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

/// Whether the call that ended in this error may have done something.
///
/// `false` is said of refusals only: of a circuit ([`Open`]), of a health gate ([`Unhealthy`]), of a
/// failover ([`NoBackend`], unless one of its backends may have run the call), and of connections
/// that were not made ([`ConnectionRefused`](io::ErrorKind::ConnectionRefused),
/// [`AddrNotAvailable`](io::ErrorKind::AddrNotAvailable)), wherever they stand among the sources.
/// Everything else may have run, also when a host or a network cannot be reached: that is reported
/// of connections over which a request went, too.
///
/// For a boxed error, pass `&*error`.
#[must_use]
pub fn may_have_run(error: &(dyn Error + 'static)) -> bool {
    let mut refused = false;
    for error in chain(error) {
        if error.is::<MayHaveRun>() {
            return true;
        }
        if let Some(nobody) = error.downcast_ref::<NoBackend>() {
            return nobody.may_have_run();
        }
        refused |= error.is::<Open>() || error.is::<Unhealthy>() || is_unmade(error);
    }
    !refused
}

/// An error and its sources, also those that an [`io::Error`] is made of, which it hides.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |error| {
        let error: &'a (dyn Error + 'static) = *error;
        let hidden = error.downcast_ref().and_then(io::Error::get_ref);
        hidden.map(|hidden| hidden as &(dyn Error + 'static)).or_else(|| error.source())
    })
}

fn is_unmade(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| {
        matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::AddrNotAvailable)
    })
}
