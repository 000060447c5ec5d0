//! The future of a [`Hold`](super::Hold).

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tower_service::Service;

use super::{places::Place, service::has_to_wait};
use crate::{
    BoxError,
    gate::{AtHead, Waiter, future::ResponseFuture as Called},
    health::HealthGate,
};

pin_project! {
    /// Waits until the target is well or the limit ends, and for the answer.
    ///
    /// The limit counts from the first poll. A call that is not held needs no timer.
    ///
    /// # Cancel safety
    ///
    /// Dropping it frees its place, or drops the inner call.
    ///
    /// # Panics
    ///
    /// When it has to wait, outside of a tokio runtime with a timer; and if polled again after it
    /// was done.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, Request, Fut> {
        #[pin]
        state: State<S, Request, Fut>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, Request, Fut> {
        Held {
            gate: HealthGate<S>,
            request: Option<Request>,
            place: Place,
            limit: Duration,
            waiter: Waiter,
            #[pin]
            timer: Option<Sleep>,
            is_over: bool,
        },
        Calling {
            #[pin]
            future: Called<Fut, (), AtHead>,
        },
    }
}

impl<S, Request, Fut> ResponseFuture<S, Request, Fut> {
    #[inline]
    pub(super) const fn calling(future: Called<Fut, (), AtHead>) -> Self {
        Self { state: State::Calling { future } }
    }

    #[cold]
    pub(super) fn held(
        gate: HealthGate<S>,
        request: Request,
        limit: Duration,
        place: Place,
    ) -> Self {
        let (request, waiter, timer) = (Some(request), Waiter::new(), None);
        Self { state: State::Held { gate, request, place, limit, waiter, timer, is_over: false } }
    }
}

impl<S, Request, Fut> Future for ResponseFuture<S, Request, Fut>
where
    S: Service<Request, Future = Fut>,
    S::Error: Into<BoxError>,
    Fut: Future<Output = Result<S::Response, S::Error>>,
{
    type Output = Result<S::Response, BoxError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let future = match state.as_mut().project() {
                StateProj::Calling { future } => return future.poll(cx),
                StateProj::Held { gate, request, limit, waiter, mut timer, is_over, place: _ } => {
                    if !*is_over {
                        // Before the look: what changes after it wakes this task.
                        gate.guard().waiters().register(waiter, cx.waker());
                        if has_to_wait(gate.guard()) {
                            if timer.is_none() {
                                timer.set(Some(sleep(*limit)));
                            }
                            let timer = timer.as_mut().as_pin_mut().expect("it was set");
                            ready!(timer.poll(cx));
                            *is_over = true;
                        }
                    }
                    ready!(gate.poll_ready(cx))?;
                    if gate.has_refused() && !*is_over && has_to_wait(gate.guard()) {
                        // Health fell in between.
                        continue;
                    }
                    let request = request.take();
                    gate.call(request.expect("a future is not polled after it panicked"))
                }
            };
            state.set(State::Calling { future });
        }
    }
}

impl<S, Request, Fut> fmt::Debug for ResponseFuture<S, Request, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::Held { .. } => "ResponseFuture(held)",
            State::Calling { .. } => "ResponseFuture(calling)",
        })
    }
}
