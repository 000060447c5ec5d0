use std::{error::Error, fmt};

/// A setting is out of range: which one, what it was, and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    policy: &'static str,
    field: String,
    value: String,
    allowed: &'static str,
}

impl PolicyError {
    pub(crate) fn unless(
        valid: bool,
        field: impl Into<String>,
        value: &dyn fmt::Debug,
        allowed: &'static str,
    ) -> Result<(), Self> {
        if valid {
            Ok(())
        } else {
            Err(Self {
                policy: "circuit",
                field: field.into(),
                value: format!("{value:?}"),
                allowed,
            })
        }
    }

    /// Says whose settings they are, if not a circuit's.
    pub(crate) fn of(self, policy: &'static str) -> Self {
        Self { policy, ..self }
    }

    /// The setting.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// Its value.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The values it may have.
    #[must_use]
    pub fn allowed(&self) -> &str {
        self.allowed
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { policy, field, value, allowed } = self;
        write!(f, "{policy} policy: {field} is {value}, allowed is {allowed}")
    }
}

impl Error for PolicyError {}
