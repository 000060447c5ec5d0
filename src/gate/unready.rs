use std::{marker::PhantomData, mem};

use super::{Guard, Pass};
use crate::Outcome;

/// Charges the guard with a failure if the inner `poll_ready` unwinds.
pub(super) struct Unready<'a, G, Request>
where
    G: Guard<Request>,
{
    guard: &'a G,
    request: PhantomData<fn(Request)>,
}

impl<'a, G, Request> Unready<'a, G, Request>
where
    G: Guard<Request>,
{
    /// Runs the inner `poll_ready`.
    #[inline]
    pub(super) fn run<T>(guard: &'a G, inner: impl FnOnce() -> T) -> T {
        let watch = Self { guard, request: PhantomData };
        let answer = inner();
        mem::forget(watch);
        answer
    }
}

impl<G, Request> Drop for Unready<'_, G, Request>
where
    G: Guard<Request>,
{
    #[cold]
    fn drop(&mut self) {
        if let Some(pass) = self.guard.charge() {
            pass.settle(Outcome::Failure, None);
        }
    }
}
