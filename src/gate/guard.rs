use super::{Pass, Waiters};
use crate::BoxError;

/// May it go? Decides whether a request reaches the inner service.
///
/// A guard is a cheap clone of shared state and is made before the layer, because layers are
/// applied many times: axum does it for every request.
pub trait Guard<Request> {
    /// The right to make one call.
    type Pass: Pass;
    /// The error of a call that is refused.
    type Rejection: Into<BoxError>;

    /// Why every request would be refused now, if so. Asked before the inner service is polled.
    fn refusal(&self) -> Option<Self::Rejection>;

    /// Lets a request pass, or not.
    ///
    /// # Errors
    ///
    /// The reason why the request must not be sent.
    fn admit(&self, request: &Request) -> Result<Self::Pass, Self::Rejection>;

    /// A call was refused with this error, by [`refusal`](Self::refusal) or
    /// [`admit`](Self::admit).
    fn refused(&self, rejection: &BoxError) {
        let _ = rejection;
    }

    /// The pass that an error of the inner `poll_ready` is settled on, if it counts.
    fn charge(&self) -> Option<Self::Pass> {
        None
    }

    /// Those to wake when [`refusal`](Self::refusal) may have begun to refuse.
    fn waiters(&self) -> Option<&Waiters> {
        None
    }
}
