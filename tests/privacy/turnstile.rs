use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures::{future::BoxFuture, poll};
use http::Request;
use tower::Service;

use crate::{
    crowd::Crowd,
    origin::{FIRST, Origin},
};

/// Stands before a cache, and counts the callers of a crowd once each of them waits there.
#[derive(Clone, Debug)]
pub(crate) struct Turnstile<S> {
    inner: S,
    origin: Origin,
}

impl<S> Turnstile<S> {
    pub(crate) const fn new(inner: S, origin: Origin) -> Self {
        Self { inner, origin }
    }
}

impl<S, B> Service<Request<B>> for Turnstile<S>
where
    S: Service<Request<B>>,
    S::Future: Send + 'static,
    S::Response: Send,
    S::Error: Send,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Some(crowd) = self.origin.crowds().at(request.uri().path()) else {
            return Box::pin(self.inner.call(request));
        };
        let is_first = request.headers().contains_key(FIRST);
        let call = self.inner.call(request);
        Box::pin(async move {
            // Declared before the call, and so dropped after it.
            let _gone = is_first.then(|| Gone(crowd.clone()));
            let mut call = pin!(call);
            let look = poll!(call.as_mut());
            crowd.one_came();
            match look {
                Poll::Ready(result) => result,
                Poll::Pending => call.await,
            }
        })
    }
}

struct Gone(Arc<Crowd>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.first_went();
    }
}
