use std::{
    mem,
    task::{Context, Poll},
    time::Duration,
};

use tower_service::Service;

use super::future::ResponseFuture;
use crate::BoxError;

/// Fails with [`Elapsed`](super::Elapsed) when its inner service does not get ready and answer in
/// time.
///
/// # Readiness
///
/// Ready at once, whatever the inner service says. If that was ready, it is called in place. If
/// not, the future takes over the very instance that was polled, with its place in any queue, and
/// this service goes on with a clone. So every call may wait on an instance of its own: bound
/// their number above, with a concurrency limit. Errors of the inner `poll_ready` are passed on.
///
/// # Cancel safety
///
/// Dropping the future drops the inner call, or the instance that was waited for.
#[derive(Debug)]
pub struct Budget<S> {
    inner: S,
    ready: bool,
    budget: Duration,
}

impl<S> Budget<S> {
    /// Gives each call this long, readiness included.
    pub const fn new(inner: S, budget: Duration) -> Self {
        Self { inner, ready: false, budget }
    }

    /// The inner service.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service, without its budget.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, Request> Service<Request> for Budget<S>
where
    S: Service<Request> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S, Request, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.ready = false;
        match self.inner.poll_ready(cx) {
            Poll::Ready(Ok(())) => self.ready = true,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
            Poll::Pending => {}
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        if mem::take(&mut self.ready) {
            return ResponseFuture::calling(self.inner.call(request), self.budget);
        }
        let clone = self.inner.clone();
        ResponseFuture::waiting(mem::replace(&mut self.inner, clone), request, self.budget)
    }
}

/// A clone has not been asked whether it is ready.
impl<S> Clone for Budget<S>
where
    S: Clone,
{
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.budget)
    }
}
