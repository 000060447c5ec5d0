//! The future of a [`Fallback`](super::Fallback).

use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use super::{IsResult, Plan, Served, Shape, audience::Audience};
use crate::{Classify, Outcome};

pin_project! {
    /// Waits for the inner service and, if that fails, for a strategy.
    pub struct ResponseFuture<Fut, P, C, O>
    where
        Fut: Future,
        Fut::Output: IsResult,
    {
        #[pin]
        state: State<Fut>,
        #[pin]
        plan: P,
        classifier: C,
        audience: Audience,
        shape: PhantomData<fn() -> O>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<Fut>
    where
        Fut: Future,
        Fut::Output: IsResult,
    {
        Calling { #[pin] future: Fut },
        Unready { error: Option<<Fut::Output as IsResult>::Error> },
        Recovering { failed: Option<Fut::Output> },
        Answered { served: Option<Served<<Fut::Output as IsResult>::Ok>> },
    }
}

impl<Fut, P, T, E, C, O> ResponseFuture<Fut, P, C, O>
where
    Fut: Future<Output = Result<T, E>>,
{
    /// The inner service was called.
    #[inline]
    pub(super) fn calling(future: Fut, plan: P, classifier: C, audience: Audience) -> Self {
        Self::new(State::Calling { future }, plan, classifier, audience)
    }

    /// The inner service said that it cannot be called.
    pub(super) fn unready(error: E, plan: P, classifier: C, audience: Audience) -> Self {
        Self::new(State::Unready { error: Some(error) }, plan, classifier, audience)
    }

    /// A strategy knew the answer without a call.
    pub(super) fn answered(served: Served<T>, plan: P, classifier: C, audience: Audience) -> Self {
        Self::new(State::Answered { served: Some(served) }, plan, classifier, audience)
    }

    #[inline]
    fn new(state: State<Fut>, plan: P, classifier: C, audience: Audience) -> Self {
        Self { state, plan, classifier, audience, shape: PhantomData }
    }
}

impl<Fut, P, T, E, C, O> Future for ResponseFuture<Fut, P, C, O>
where
    Fut: Future<Output = Result<T, E>>,
    P: Plan<T, E>,
    C: Classify<T, E>,
    O: Shape<T>,
{
    type Output = Result<O::Response, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let result = match this.state.as_mut().project() {
                StateProj::Calling { future } => ready!(future.poll(cx)),
                StateProj::Unready { error } => Err(error.take().expect(COMPLETED)),
                StateProj::Answered { served } => {
                    return Poll::Ready(Ok(O::fallback(served.take().expect(COMPLETED))));
                }
                StateProj::Recovering { failed } => {
                    let original = failed.as_ref().expect(COMPLETED);
                    let recovered = ready!(this.plan.poll_recover(cx, original));
                    let original = failed.take().expect(COMPLETED);
                    return Poll::Ready(match recovered {
                        Ok(served) => {
                            this.audience.fell_back(&served);
                            Ok(O::fallback(served))
                        }
                        Err(reasons) => {
                            this.audience.failed(&reasons);
                            original.map(O::primary)
                        }
                    });
                }
            };
            match (this.classifier.classify(&result), result) {
                (Outcome::Failure, result) => {
                    this.state.set(State::Recovering { failed: Some(result) });
                }
                (Outcome::Success, Ok(mut response)) => {
                    this.plan.learn(&mut response);
                    return Poll::Ready(Ok(O::primary(response)));
                }
                (Outcome::Success | Outcome::Ignored, result) => {
                    return Poll::Ready(result.map(O::primary));
                }
            }
        }
    }
}

impl<Fut, P, C, O> fmt::Debug for ResponseFuture<Fut, P, C, O>
where
    Fut: Future,
    Fut::Output: IsResult,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

const COMPLETED: &str = "a future is not polled after it completed or panicked";
