use std::time::Duration;

use crate::Outcome;

/// The right to make one call, settled exactly once.
///
/// A pass that is dropped unsettled belongs to a call that was cancelled. Its `Drop` must not
/// block or panic.
pub trait Pass {
    /// Tells how the call ended, and how long the backend asked to be left alone.
    fn settle(self, outcome: Outcome, retry_after: Option<Duration>);
}

/// For guards that do not care how calls end.
impl Pass for () {
    fn settle(self, _: Outcome, _: Option<Duration>) {}
}
