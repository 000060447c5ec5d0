use std::error::Error;

use super::{Repeat, may_have_run};

/// Decides per request whether it may be made again, and how it is copied for that.
///
/// Implemented by [`Repeat`] (the same for every request), by [`By`](super::By) (a closure), and by
/// the adapters for the commands that they know.
pub trait Repeats<Request> {
    /// Whether this request may be made again when it failed.
    fn repeat(&self, request: &Request) -> Repeat;

    /// A copy of the request, to be sent if this one fails; `None` if it has none.
    ///
    /// Not asked for requests that are [never](Repeat::Never) repeated.
    fn copy(&self, request: &Request) -> Option<Request>;

    /// Whether the call that ended in this error may have done something.
    ///
    /// Default: what [`may_have_run`] says. `true` is the safe answer.
    fn may_have_run(&self, request: &Request, error: &(dyn Error + 'static)) -> bool {
        let _ = request;
        may_have_run(error)
    }
}

impl<Request> Repeats<Request> for Repeat
where
    Request: Clone,
{
    #[inline]
    fn repeat(&self, _: &Request) -> Repeat {
        *self
    }

    #[inline]
    fn copy(&self, request: &Request) -> Option<Request> {
        Some(request.clone())
    }
}
