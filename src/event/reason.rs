use std::fmt;

use super::Name;

/// Why a strategy of a fallback did not answer.
///
/// Its [message](Self::message), which `Display` and `Debug` show too, may quote the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    strategy: Name,
    message: String,
}

impl Reason {
    /// This strategy failed, and said this.
    pub fn new(strategy: impl Into<Name>, message: impl Into<String>) -> Self {
        Self { strategy: strategy.into(), message: message.into() }
    }

    /// The strategy that failed.
    #[must_use]
    pub fn strategy(&self) -> &str {
        self.strategy.as_str()
    }

    /// What it said: the text of its own error, which may quote the request.
    ///
    /// A Redis server, for one, repeats the arguments of a command it does not know.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.strategy, self.message)
    }
}
