//! The future of [`AnswerRefusals`](super::AnswerRefusals).

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use pin_project_lite::pin_project;

use super::{Answer, OrEmpty};
use crate::BoxError;

pin_project! {
    /// The response of the inner service, or the answer to its error.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the inner call.
    ///
    /// # Panics
    ///
    /// If polled again after it was done.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, A> {
        #[pin]
        state: State<F, A>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, A> {
        Answered { response: Option<Response<()>> },
        Calling { #[pin] future: F, answer: A },
    }
}

impl<F, A> ResponseFuture<F, A> {
    /// The inner service was not ready, for a reason that has an answer.
    pub(super) const fn answered(response: Response<()>) -> Self {
        Self { state: State::Answered { response: Some(response) } }
    }

    /// The inner service is called.
    pub(super) const fn calling(future: F, answer: A) -> Self {
        Self { state: State::Calling { future, answer } }
    }
}

impl<F, A, B, E> Future for ResponseFuture<F, A>
where
    F: Future<Output = Result<Response<B>, E>>,
    E: Into<BoxError>,
    A: Answer,
{
    type Output = Result<Response<OrEmpty<B>>, A::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answered = match self.project().state.project() {
            StateProj::Answered { response } => {
                response.take().expect("a future is not polled after it was done")
            }
            StateProj::Calling { future, answer } => match ready!(future.poll(cx)) {
                Ok(response) => return Poll::Ready(Ok(response.map(OrEmpty::inner))),
                Err(error) => answer.answer(error.into())?,
            },
        };
        Poll::Ready(Ok(answered.map(|()| OrEmpty::empty())))
    }
}

impl<F, A> fmt::Debug for ResponseFuture<F, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::Answered { .. } => "ResponseFuture(answered)",
            State::Calling { .. } => "ResponseFuture(calling)",
        })
    }
}
