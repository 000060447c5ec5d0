//! The future of a [`Hold`](super::Hold).

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};
use tower_service::Service;

use super::{places::Place, service::waits_out};
use crate::{
    BoxError, clock,
    gate::{AtHead, Waiter, future::ResponseFuture as Called},
    health::{Health, HealthGate, Unhealthy},
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
            end: Option<Instant>,
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
        let (request, waiter, timer, end) = (Some(request), Waiter::new(), None, None);
        let is_over = false;
        Self { state: State::Held { gate, request, place, limit, waiter, timer, end, is_over } }
    }
}

/// What a call is held by now.
fn held_by(health: &Health) -> Option<Unhealthy> {
    health.refusal().filter(|refusal| waits_out(health, refusal))
}

/// When to look again without being woken: when the refusal ends by itself.
fn looks_at(health: &Health, refusal: &Unhealthy) -> Instant {
    let wait = if health.is_monitored() { None } else { refusal.retry_after() };
    clock::alarm(wait.unwrap_or(Duration::MAX))
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
                StateProj::Held {
                    gate, request, limit, waiter, mut timer, end, is_over, ..
                } => {
                    if !*is_over {
                        // Before the look: what changes after it wakes this task.
                        gate.guard().waiters().register(waiter, cx.waker());
                        if let Some(refusal) = held_by(gate.guard()) {
                            let end = *end.get_or_insert_with(|| clock::alarm(*limit));
                            let look_at = looks_at(gate.guard(), &refusal).min(end);
                            match timer.as_mut().as_pin_mut() {
                                Some(timer) if timer.deadline() == look_at => {}
                                Some(timer) => timer.reset(look_at),
                                None => timer.set(Some(sleep_until(look_at))),
                            }
                            let timer = timer.as_mut().as_pin_mut().expect("it was set");
                            ready!(timer.poll(cx));
                            *is_over = look_at == end;
                            continue;
                        }
                    }
                    ready!(gate.poll_ready(cx))?;
                    let mut taken =
                        || request.take().expect("a future is not polled after it panicked");
                    match gate.guard().refusal() {
                        None if !gate.has_refused() => gate.call_admitted(taken(), ()),
                        // Health changed in between.
                        None => continue,
                        Some(refusal) if !*is_over && waits_out(gate.guard(), &refusal) => continue,
                        Some(_) => gate.call(taken()),
                    }
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
