use std::{error::Error, fmt};

use crate::{event::Name, logic::roster::Unfit};

/// A backend cannot be made to serve by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailOverError {
    backend: Name,
    unfit: Unfit,
}

impl FailOverError {
    pub(super) const fn new(backend: Name, unfit: Unfit) -> Self {
        Self { backend, unfit }
    }

    /// The backend.
    #[must_use]
    pub const fn backend(&self) -> &Name {
        &self.backend
    }
}

impl fmt::Display for FailOverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot fail over to {}: ", self.backend)?;
        f.write_str(match self.unfit {
            Unfit::Unknown => "there is no such backend",
            Unfit::Unhealthy => "it is unhealthy",
            Unfit::Shut => "its circuit is open",
        })
    }
}

impl Error for FailOverError {}
