use std::{error::Error, fmt, sync::Arc};

use crate::BoxError;

/// The error of a call that was made for several callers; each of them gets one of these.
///
/// A cheap clone. What went wrong is its [source](Error::source), also for the caller whose request
/// made the call, so that it does not depend on chance which of the two a caller sees.
///
/// ```
/// use tower_failover::{BoxError, circuit_breaker::Open, fallback::cached::SharedError};
///
/// fn is_open(error: &BoxError) -> bool {
///     error.downcast_ref::<SharedError>().is_some_and(|shared| shared.get_ref().is::<Open>())
/// }
/// ```
#[derive(Clone)]
pub struct SharedError(Arc<dyn Error + Send + Sync>);

impl SharedError {
    pub(super) fn new(error: BoxError) -> Self {
        Self(error.into())
    }

    /// What went wrong.
    #[must_use]
    pub fn get_ref(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0
    }
}

impl fmt::Display for SharedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the call for this answer failed")
    }
}

impl fmt::Debug for SharedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedError").field(&self.0).finish()
    }
}

impl Error for SharedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}
