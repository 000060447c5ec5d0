use std::task::{Context, Poll};

use http::Response;
use tower_service::Service;

use super::{Body, future::ResponseFuture};

/// Gives the responses of an inner service a [`Body`] that can be copied while it is read.
///
/// Readiness and errors are those of the inner service.
#[derive(Clone, Copy, Debug)]
pub struct BodyService<S> {
    inner: S,
}

impl<S> BodyService<S> {
    /// Wraps the bodies of this service.
    pub const fn new(inner: S) -> Self {
        Self { inner }
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

impl<S, Request, B> Service<Request> for BodyService<S>
where
    S: Service<Request, Response = Response<B>>,
{
    type Response = Response<Body<B>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Request) -> Self::Future {
        ResponseFuture::new(self.inner.call(request))
    }
}
