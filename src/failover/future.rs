//! The future of a [`Failover`](super::Failover).

mod attempt;
mod failure;
mod next;
#[cfg(feature = "retry")]
mod retried;
mod trip;

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower_service::Service;

use self::failure::Failure;
#[cfg(feature = "retry")]
pub use self::retried::RetriedFuture;
pub(super) use self::{next::keeps_copy, trip::Trip};
use super::{Repeat, Repeats, seat::Polled};
use crate::{BoxError, Classify, event::Name, logic::roster::MemberId};

pin_project! {
    /// The answer of the backend that serves, or of the next one.
    ///
    /// Each attempt has its [time](super::Policy::attempt_timeout) from its first poll on; an answer
    /// that is there at once needs no timer.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the call, which a circuit of the backend sees as cancelled and which says
    /// nothing about the backend; if the attempt has waited for the backend as long as
    /// [`Policy::cancelled_after`](super::Policy::cancelled_after), it counts as a timeout.
    ///
    /// # Panics
    ///
    /// When the answer is not there at once, outside of a tokio runtime with a timer. If polled
    /// again after it was done.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, Request, Fut, R, C> {
        #[pin]
        attempt: Attempt<S, Request, Fut>,
        #[pin]
        sleep: Option<Sleep>,
        // The timer is that of this attempt.
        is_timed: bool,
        trip: Trip,
        repeats: R,
        classifier: C,
        repeat: Repeat,
        copy: Option<Request>,
        attempts: u32,
        may_try: bool,
        // This attempt tries a backend that is out, and says nothing about the one that serves.
        is_trial: bool,
        tried: Vec<MemberId>,
        // The backend that may have run the request in an earlier attempt.
        doubt: Option<Name>,
    }
}

pin_project! {
    #[project = AttemptProj]
    enum Attempt<S, Request, Fut> {
        Choosing { polled: Option<Polled<S>>, request: Option<Request> },
        Unready { error: Option<BoxError>, request: Option<Request> },
        Waiting { service: S, request: Option<Request> },
        Calling { #[pin] future: Fut },
        Done,
    }
}

/// How the call ended, or an attempt of it failed.
type End<T, Request> = Result<Result<T, BoxError>, Failure<Request, T>>;

/// A request and what was decided about it.
pub(super) struct Order<Request, R, C> {
    pub(super) trip: Trip,
    pub(super) repeats: R,
    pub(super) classifier: C,
    pub(super) repeat: Repeat,
    pub(super) copy: Option<Request>,
}

impl<S, Request, Fut, R, C> ResponseFuture<S, Request, Fut, R, C> {
    #[inline]
    fn new(
        order: Order<Request, R, C>,
        attempts: u32,
        may_try: bool,
        attempt: Attempt<S, Request, Fut>,
    ) -> Self {
        let Order { trip, repeats, classifier, repeat, copy } = order;
        Self {
            attempt,
            sleep: None,
            is_timed: false,
            trip,
            repeats,
            classifier,
            repeat,
            copy,
            attempts,
            may_try,
            is_trial: false,
            tried: Vec::new(),
            doubt: None,
        }
    }

    /// The backend that serves was ready and is called.
    #[inline]
    pub(super) fn calling(order: Order<Request, R, C>, future: Fut) -> Self {
        let attempts = order.trip.switchboard.policy.attempts - 1;
        Self::new(order, attempts, false, Attempt::Calling { future })
    }

    /// The backend that serves was not ready; this waits for the instance that was polled.
    pub(super) fn waiting(order: Order<Request, R, C>, service: S, request: Request) -> Self {
        let attempts = order.trip.switchboard.policy.attempts - 1;
        Self::new(order, attempts, false, Attempt::Waiting { service, request: Some(request) })
    }

    /// The backend that serves said that it cannot be called.
    pub(super) fn unready(order: Order<Request, R, C>, error: BoxError, request: Request) -> Self {
        let attempts = order.trip.switchboard.policy.attempts - 1;
        let attempt = Attempt::Unready { error: Some(error), request: Some(request) };
        Self::new(order, attempts, false, attempt)
    }

    /// It has to be seen who serves; `may_try` lets it try one that is out. The instance that was
    /// polled is used if its backend is chosen.
    pub(super) fn choosing(
        order: Order<Request, R, C>,
        may_try: bool,
        polled: Option<Polled<S>>,
        request: Request,
    ) -> Self {
        let attempts = order.trip.switchboard.policy.attempts;
        let attempt = Attempt::Choosing { polled, request: Some(request) };
        Self::new(order, attempts, may_try, attempt)
    }
}

impl<S, Request, R, C> Future for ResponseFuture<S, Request, S::Future, R, C>
where
    S: Service<Request> + Clone + 'static,
    S::Error: Into<BoxError>,
    R: Repeats<Request>,
    C: Classify<S::Response, S::Error>,
{
    type Output = Result<S::Response, BoxError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let end = match self.as_mut().poll_attempt(cx) {
                Poll::Ready(end) => end,
                Poll::Pending => {
                    ready!(self.as_mut().poll_time(cx));
                    Err(self.as_mut().give_up())
                }
            };
            let result = match end {
                Ok(result) => Some(result),
                Err(failure) => self.as_mut().go_on(failure),
            };
            if let Some(result) = result {
                self.as_mut().project().attempt.set(Attempt::Done);
                return Poll::Ready(result);
            }
        }
    }
}

impl<S, Request, Fut, R, C> fmt::Debug for ResponseFuture<S, Request, Fut, R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("trip", &self.trip)
            .field("attempts_left", &self.attempts)
            .finish_non_exhaustive()
    }
}

const COMPLETED: &str = "a future is not polled after it completed or panicked";
