use std::{any::type_name, fmt};

use super::Pass;
use crate::{Classify, ErrorsAreFailures, Outcome};

/// Decides when a pass is settled, and on what.
///
/// Most responses are a verdict when they arrive: [`AtHead`]. Where the verdict comes with the end
/// of a body, the pass travels with the response, which therefore may change its type.
pub trait Settle<P, T, E>: Sized {
    /// The response as the caller gets it.
    type Output;

    /// Settles the pass now, or sees to it that it will be.
    ///
    /// # Errors
    ///
    /// The error of the call, unchanged.
    fn settle(self, pass: P, result: Result<T, E>) -> Result<Self::Output, E>;
}

/// Settles as soon as the inner future is done, on what a [classifier](Classify) says.
#[derive(Clone, Copy, Default)]
pub struct AtHead<C = ErrorsAreFailures>(C);

impl<C> AtHead<C> {
    /// Settles on what this classifier says.
    #[must_use]
    pub const fn new(classifier: C) -> Self {
        Self(classifier)
    }
}

impl<P, T, E, C> Settle<P, T, E> for AtHead<C>
where
    P: Pass,
    C: Classify<T, E>,
{
    type Output = T;

    #[inline]
    fn settle(self, pass: P, result: Result<T, E>) -> Result<T, E> {
        let outcome = self.0.classify(&result);
        let retry_after = match outcome {
            Outcome::Failure => self.0.retry_after(&result),
            Outcome::Success | Outcome::Ignored => None,
        };
        pass.settle(outcome, retry_after);
        result
    }
}

impl<C> fmt::Debug for AtHead<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AtHead").field(&format_args!("{}", type_name::<C>())).finish()
    }
}
