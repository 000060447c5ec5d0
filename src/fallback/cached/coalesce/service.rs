use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use tower_service::Service;

use super::{Origin, Shareable, desk::Desk, future::ResponseFuture};
use crate::{
    BoxError, Classify, ErrorsAreFailures, clock,
    fallback::cached::{Keeper, Query},
};

/// Makes one call for all who want the same answer at the same time.
///
/// Made by a [`CoalesceLayer`](super::CoalesceLayer); see the [module](super) for how it behaves.
///
/// # Readiness
///
/// Always ready, and does not ask the inner service, because most callers will not call it; so who is
/// answered from the cache holds no place in a queue or under a limit. It is asked by the call of
/// whoever has to make one; if it is not ready then, he takes over that instance and waits in his
/// future, and this service goes on with a clone. An error of its readiness is that of the call.
///
/// # Cancel safety
///
/// Dropping the future of a caller leaves the call to those who wait for it; to the background, if
/// somebody's time ran out on it; else it drops the call.
pub struct Coalesce<S, Q, C = ErrorsAreFailures>
where
    Q: Keeper,
{
    pub(super) inner: S,
    pub(super) desk: Arc<Desk<Q, C>>,
}

impl<S, Q, C> Coalesce<S, Q, C>
where
    Q: Keeper,
{
    pub(super) const fn new(inner: S, desk: Arc<Desk<Q, C>>) -> Self {
        Self { inner, desk }
    }

    /// The inner service.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service, which every caller then calls for himself.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, Q, C, Request> Service<Request> for Coalesce<S, Q, C>
where
    S: Origin<Request, Q>,
    Request: Send + 'static,
    Q: Query<Request> + Shareable,
    C: Classify<Q::Response, S::Error> + Send + Sync + 'static,
{
    type Response = Q::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S, Request, S::Future, Q, C>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let now = clock::now();
        let start = self.start(request, now);
        ResponseFuture::new(start, self.desk.clone(), now)
    }
}

impl<S, Q, C> Clone for Coalesce<S, Q, C>
where
    S: Clone,
    Q: Keeper,
{
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.desk.clone())
    }
}

impl<S, Q, C> fmt::Debug for Coalesce<S, Q, C>
where
    S: fmt::Debug,
    Q: Keeper,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coalesce").field("inner", &self.inner).field("desk", &self.desk).finish()
    }
}
