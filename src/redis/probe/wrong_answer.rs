use std::{error::Error, fmt};

/// The error of a probe whose command was answered, but not as it has to be.
///
/// It holds nothing of what the server sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongAnswer {
    command: &'static str,
    wrong: &'static str,
}

impl WrongAnswer {
    pub(super) const fn new(command: &'static str, wrong: &'static str) -> Self {
        Self { command, wrong }
    }

    /// The command, in upper case.
    #[must_use]
    pub const fn command(&self) -> &'static str {
        self.command
    }
}

impl fmt::Display for WrongAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { command, wrong } = self;
        write!(f, "{command} is answered wrongly: {wrong}")
    }
}

impl Error for WrongAnswer {}
