use std::{error::Error, fmt};

/// Why a caller got no answer although the call was answered: the answer was a failure, and is for
/// the caller only whose request it was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailedResponse;

impl fmt::Display for FailedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the service answered with a failure")
    }
}

impl Error for FailedResponse {}
