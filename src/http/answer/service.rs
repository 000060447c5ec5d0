use std::task::{Context, Poll};

use http::Response;
use tower_service::Service;

use super::{Answer, OrEmpty, RefusalsOnly, future::ResponseFuture};
use crate::BoxError;

/// Turns the refusals of an inner service into responses.
///
/// # Readiness
///
/// That of the inner service. An error of its `poll_ready` that is answered makes this ready, and
/// is the answer to the next call.
#[derive(Debug)]
pub struct AnswerRefusals<S, A = RefusalsOnly> {
    inner: S,
    answer: A,
    /// The answer to an error of the last `poll_ready`.
    unready: Option<Response<()>>,
}

impl<S> AnswerRefusals<S> {
    /// Answers what [`refusal`](super::refusal) does, and passes other errors on.
    #[must_use]
    pub const fn new(inner: S) -> Self {
        Self::with(inner, RefusalsOnly)
    }
}

impl<S, A> AnswerRefusals<S, A> {
    pub(super) const fn with(inner: S, answer: A) -> Self {
        Self { inner, answer, unready: None }
    }

    /// The inner service.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.inner
    }
}

/// The clone is not ready, whatever the original is.
impl<S, A> Clone for AnswerRefusals<S, A>
where
    S: Clone,
    A: Clone,
{
    fn clone(&self) -> Self {
        Self::with(self.inner.clone(), self.answer.clone())
    }
}

impl<S, A, Request, B> Service<Request> for AnswerRefusals<S, A>
where
    S: Service<Request, Response = Response<B>>,
    S::Error: Into<BoxError>,
    A: Answer + Clone,
{
    type Response = Response<OrEmpty<B>>;
    type Error = A::Error;
    type Future = ResponseFuture<S::Future, A>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), A::Error>> {
        self.unready = None;
        self.inner.poll_ready(cx).map(|ready| match ready {
            Ok(()) => Ok(()),
            Err(error) => {
                self.unready = Some(self.answer.answer(error.into())?);
                Ok(())
            }
        })
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match self.unready.take() {
            Some(response) => ResponseFuture::answered(response),
            None => ResponseFuture::calling(self.inner.call(request), self.answer.clone()),
        }
    }
}
