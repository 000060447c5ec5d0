use std::{error::Error, fmt};

/// Why a caller got no answer to another's call that he waited for: it failed, by a response or by an
/// error, and how is for the caller only whose request it was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailedResponse;

impl fmt::Display for FailedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the service answered with a failure")
    }
}

impl Error for FailedResponse {}
