use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::Response;
use tower_service::Service;

use super::future::ResponseFuture;
use crate::fallback::Served;

/// Says in each response what a fallback has served. Made by an
/// [`AnnotateLayer`](super::AnnotateLayer).
#[derive(Clone, Debug)]
pub struct Annotate<S> {
    inner: S,
    name: Arc<str>,
}

impl<S> Annotate<S> {
    pub(super) const fn new(inner: S, name: Arc<str>) -> Self {
        Self { inner, name }
    }

    /// The inner service.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service, whose responses say it by their type.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, Request, B> Service<Request> for Annotate<S>
where
    S: Service<Request, Response = Served<Response<B>>>,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Request) -> Self::Future {
        ResponseFuture::new(self.inner.call(request), self.name.clone())
    }
}
