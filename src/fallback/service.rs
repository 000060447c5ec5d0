use std::{
    any::type_name,
    fmt,
    marker::PhantomData,
    task::{Context, Poll},
};

use tower_service::Service;

use super::{Plan, Shape, Strategy, audience::Audience, future::ResponseFuture, unready::Unready};
use crate::Classify;

/// Answers by a strategy what the inner service fails to answer.
///
/// Made by a [`FallbackLayer`](super::FallbackLayer). Its error is that of the inner service.
///
/// # Readiness
///
/// Ready when the inner service is. An error of its `poll_ready` makes this one ready too: the
/// next call takes that error for the result and leaves the inner service alone, and the next
/// `poll_ready` asks it anew. Tower lets a service be dead for good after such an error: put
/// something that reconnects under the fallback.
///
/// # Cancel safety
///
/// Dropping the future drops the inner call, or the strategy that is at work. Nothing else is kept.
pub struct Fallback<S, F, C, O> {
    inner: S,
    unready: Unready,
    strategy: F,
    classifier: C,
    audience: Audience,
    shape: PhantomData<fn() -> O>,
}

impl<S, F, C, O> Fallback<S, F, C, O> {
    pub(super) const fn new(inner: S, strategy: F, classifier: C, audience: Audience) -> Self {
        Self { inner, unready: Unready::no(), strategy, classifier, audience, shape: PhantomData }
    }

    /// The inner service.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service, without its fallback.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, F, C, O, Request> Service<Request> for Fallback<S, F, C, O>
where
    S: Service<Request>,
    S::Error: Send + 'static,
    F: Strategy<Request>,
    F::Plan: Plan<S::Response, S::Error>,
    C: Classify<S::Response, S::Error> + Clone,
    O: Shape<S::Response>,
{
    type Response = O::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, F::Plan, C, O>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx).map(|ready| {
            self.unready.set(ready.err());
            Ok(())
        })
    }

    #[inline]
    fn call(&mut self, request: Request) -> Self::Future {
        let unready = self.unready.take::<S::Error>();
        let mut plan = self.strategy.plan(&request);
        let (classifier, audience) = (self.classifier.clone(), self.audience.clone());
        if let Some(served) = plan.answer() {
            if unready.is_none() && plan.refreshes() {
                drop(self.inner.call(request));
            }
            return ResponseFuture::answered(served, plan, classifier, audience);
        }
        match unready {
            Some(error) => ResponseFuture::unready(error, plan, classifier, audience),
            None => {
                let future = self.inner.call(request);
                ResponseFuture::calling(future, plan, classifier, audience)
            }
        }
    }
}

/// A clone has not been asked whether it is ready.
impl<S, F, C, O> Clone for Fallback<S, F, C, O>
where
    S: Clone,
    F: Clone,
    C: Clone,
{
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            unready: Unready::no(),
            strategy: self.strategy.clone(),
            classifier: self.classifier.clone(),
            audience: self.audience.clone(),
            shape: PhantomData,
        }
    }
}

impl<S, F, C, O> fmt::Debug for Fallback<S, F, C, O>
where
    S: fmt::Debug,
    F: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallback")
            .field("inner", &self.inner)
            .field("strategy", &self.strategy)
            .field("classifier", &format_args!("{}", type_name::<C>()))
            .field("unready", &self.unready)
            .finish_non_exhaustive()
    }
}
