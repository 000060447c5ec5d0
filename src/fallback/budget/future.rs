//! The future of a [`Budget`](super::Budget).

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tower_service::Service;

use super::Elapsed;
use crate::BoxError;

pin_project! {
    /// Waits until the inner service is ready and has answered, or the budget is spent.
    ///
    /// The budget counts from the first poll. An answer that is there at once needs no timer.
    ///
    /// # Panics
    ///
    /// When the answer is not there at once, outside of a tokio runtime with a timer.
    pub struct ResponseFuture<S, Request, Fut> {
        #[pin]
        state: State<S, Request, Fut>,
        budget: Duration,
        #[pin]
        sleep: Option<Sleep>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, Request, Fut> {
        Waiting { inner: S, request: Option<Request> },
        Calling { #[pin] future: Fut },
    }
}

impl<S, Request, Fut> ResponseFuture<S, Request, Fut> {
    /// The inner service was ready and is called.
    pub(super) const fn calling(future: Fut, budget: Duration) -> Self {
        Self { state: State::Calling { future }, budget, sleep: None }
    }

    /// The inner service was not ready.
    pub(super) const fn waiting(inner: S, request: Request, budget: Duration) -> Self {
        let request = Some(request);
        Self { state: State::Waiting { inner, request }, budget, sleep: None }
    }
}

impl<S, Request, Fut> ResponseFuture<S, Request, Fut>
where
    S: Service<Request, Future = Fut>,
    Fut: Future<Output = Result<S::Response, S::Error>>,
{
    fn poll_inner(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Fut::Output> {
        let mut state = self.project().state;
        loop {
            let future = match state.as_mut().project() {
                StateProj::Waiting { inner, request } => {
                    ready!(inner.poll_ready(cx))?;
                    let request = request.take();
                    inner.call(request.expect("a future is not polled after a panic"))
                }
                StateProj::Calling { future } => return future.poll(cx),
            };
            state.set(State::Calling { future });
        }
    }
}

impl<S, Request, Fut> Future for ResponseFuture<S, Request, Fut>
where
    S: Service<Request, Future = Fut>,
    S::Error: Into<BoxError>,
    Fut: Future<Output = Result<S::Response, S::Error>>,
{
    type Output = Result<S::Response, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(result) = self.as_mut().poll_inner(cx) {
            return Poll::Ready(result.map_err(Into::into));
        }
        let mut this = self.project();
        if this.sleep.is_none() {
            this.sleep.set(Some(sleep(*this.budget)));
        }
        if let Some(sleep) = this.sleep.as_pin_mut() {
            ready!(sleep.poll(cx));
        }
        Poll::Ready(Err(Elapsed::new(*this.budget).into()))
    }
}

impl<S, Request, Fut> fmt::Debug for ResponseFuture<S, Request, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").field("budget", &self.budget).finish_non_exhaustive()
    }
}
