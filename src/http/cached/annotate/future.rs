//! The future of an [`Annotate`](super::Annotate).

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::Response;
use pin_project_lite::pin_project;

use super::status;
use crate::fallback::Served;

pin_project! {
    /// Waits for the inner service, and says where its response came from.
    #[derive(Debug)]
    pub struct ResponseFuture<Fut> {
        #[pin]
        inner: Fut,
        name: Arc<str>,
    }
}

impl<Fut> ResponseFuture<Fut> {
    pub(super) const fn new(inner: Fut, name: Arc<str>) -> Self {
        Self { inner, name }
    }
}

impl<Fut, B, E> Future for ResponseFuture<Fut>
where
    Fut: Future<Output = Result<Served<Response<B>>, E>>,
{
    type Output = Result<Response<B>, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.inner.poll(cx));
        Poll::Ready(result.map(|served| status::annotate(served, this.name)))
    }
}
