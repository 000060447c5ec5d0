use std::sync::Arc;

use crate::{BoxError, failover::Target};

/// An attempt that failed.
pub(crate) enum Failure<Request, T> {
    /// The circuit or the health of the backend refused; it was not called.
    Refused { target: Arc<Target>, error: BoxError, request: Request },
    /// The backend could not get ready; it was not called.
    Unsent { target: Arc<Target>, error: BoxError, request: Request },
    /// The backend was called.
    Sent { target: Arc<Target>, result: Result<T, BoxError> },
}

impl<Request, T> Failure<Request, T> {
    pub(crate) fn target(&self) -> &Target {
        match self {
            Self::Refused { target, .. }
            | Self::Unsent { target, .. }
            | Self::Sent { target, .. } => target,
        }
    }
}
