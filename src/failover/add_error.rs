use std::{error::Error, fmt};

use super::{Backend, Mode};
use crate::event::Name;

/// A backend cannot be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddError {
    backend: Name,
    problem: Problem,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Problem {
    NameTaken,
    NoCircuit,
    NoHealth,
}

impl AddError {
    pub(super) fn name_taken(backend: &Name) -> Self {
        Self { backend: backend.clone(), problem: Problem::NameTaken }
    }

    /// Whether this backend has what the mode goes by.
    pub(super) fn unless_fit<S>(backend: &Backend<S>, mode: Mode) -> Result<(), Self> {
        let problem = match mode {
            Mode::ByCircuit if backend.circuit.is_none() => Problem::NoCircuit,
            Mode::ByHealth if backend.health.is_none() => Problem::NoHealth,
            Mode::AtOnce | Mode::ByCircuit | Mode::ByHealth => return Ok(()),
        };
        Err(Self { backend: backend.name.clone(), problem })
    }

    /// The backend.
    #[must_use]
    pub const fn backend(&self) -> &Name {
        &self.backend
    }
}

impl fmt::Display for AddError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot add backend {}: ", self.backend)?;
        f.write_str(match self.problem {
            Problem::NameTaken => "there is one of that name",
            Problem::NoCircuit => "the mode goes by circuits, and it has none",
            Problem::NoHealth => "the mode goes by health, and it has none",
        })
    }
}

impl Error for AddError {}
