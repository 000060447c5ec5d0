use std::time::Duration;

/// What a call says that was cancelled: its future or permit was dropped before it ended.
///
/// Waiting for the inner service to get ready is no call yet: giving that up says nothing.
///
/// Who waits with a timeout *outside* the breaker cancels the calls of a hung backend. Put the
/// timeout inside, or count them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cancelled {
    /// Nothing: callers go away for reasons of their own.
    Ignored,
    /// The backend failed.
    Failure,
    /// The backend failed if the call had run at least this long.
    FailureAfter(Duration),
}
