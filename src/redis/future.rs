//! The futures of [`RedisService`](super::RedisService).

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use redis::RedisResult;

/// The answer to a command or a pipeline that was given to a [`RedisService`](super::RedisService).
///
/// One box: the client's own futures borrow the connection and the command, which live in it.
///
/// # Cancel safety
///
/// Dropping it does not recall the command: it may still run.
pub struct ResponseFuture<T>(Pin<Box<dyn Future<Output = RedisResult<T>> + Send>>);

impl<T> ResponseFuture<T> {
    pub(super) fn new(answer: impl Future<Output = RedisResult<T>> + Send + 'static) -> Self {
        Self(Box::pin(answer))
    }
}

impl<T> Future for ResponseFuture<T> {
    type Output = RedisResult<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<T> fmt::Debug for ResponseFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
