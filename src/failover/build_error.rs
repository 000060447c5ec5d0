use std::{error::Error, fmt};

use super::{AddError, PolicyError};

/// A failover cannot be built.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// A setting is out of range.
    Policy(PolicyError),
    /// A backend does not fit.
    Backend(AddError),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(error) => fmt::Display::fmt(error, f),
            Self::Backend(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl Error for BuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Policy(error) => error.source(),
            Self::Backend(error) => error.source(),
        }
    }
}
