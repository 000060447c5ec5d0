use std::{
    any::type_name,
    fmt,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use crate::{
    BoxError,
    fallback::{Failed, Plan, Served, Source, Strategy, chain::combinators},
};

/// Answers with what an async function makes of the request and its failed result; see
/// [`from_async_request_fn`].
pub struct FromAsyncRequestFn<F, Fut> {
    f: F,
    future: PhantomData<fn() -> Fut>,
}

/// Answers with what the future of `f` returns, or fails with its error.
///
/// Like [`from_async_fn`](super::from_async_fn), at the cost of a clone of every request. The
/// function owns that clone, so its future can.
///
/// ```
/// use tower_failover::{BoxError, fallback::from_async_request_fn};
///
/// let strategy =
///     from_async_request_fn(|key: String, _failed: &Result<String, BoxError>| async move {
///         Ok(format!("{key} is away"))
///     });
/// ```
///
/// # Cancel safety
///
/// The future is dropped when the call is, and when its [budget](FromAsyncRequestFn::within) is
/// spent.
pub const fn from_async_request_fn<F, Request, T, E, Fut>(f: F) -> FromAsyncRequestFn<F, Fut>
where
    F: Fn(Request, &Result<T, E>) -> Fut,
    Fut: Future<Output = Result<T, BoxError>>,
{
    FromAsyncRequestFn { f, future: PhantomData }
}

impl<F, Fut> FromAsyncRequestFn<F, Fut> {
    combinators!();
}

impl<F, Fut> Clone for FromAsyncRequestFn<F, Fut>
where
    F: Clone,
{
    fn clone(&self) -> Self {
        Self { f: self.f.clone(), future: PhantomData }
    }
}

impl<F, Fut, Request> Strategy<Request> for FromAsyncRequestFn<F, Fut>
where
    F: Clone,
    Request: Clone,
{
    type Plan = AsyncRequestPlan<F, Fut, Request>;

    fn plan(&self, request: &Request) -> Self::Plan {
        AsyncRequestPlan { f: self.f.clone(), request: Some(request.clone()), asked: None }
    }
}

impl<F, Fut> fmt::Debug for FromAsyncRequestFn<F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FromAsyncRequestFn").field(&format_args!("{}", type_name::<F>())).finish()
    }
}

pin_project! {
    /// The plan of a [`FromAsyncRequestFn`]: the function and the request, then the future.
    pub struct AsyncRequestPlan<F, Fut, Request> {
        f: F,
        request: Option<Request>,
        #[pin]
        asked: Option<Fut>,
    }
}

impl<F, Fut, Request, T, E> Plan<T, E> for AsyncRequestPlan<F, Fut, Request>
where
    F: Fn(Request, &Result<T, E>) -> Fut,
    Fut: Future<Output = Result<T, BoxError>>,
{
    fn failed(&self, reason: &str) -> Failed {
        Failed::new(Source::Function.as_str(), reason)
    }

    fn poll_recover(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        failed: &Result<T, E>,
    ) -> Poll<Result<Served<T>, Failed>> {
        let mut this = self.project();
        if let Some(request) = this.request.take() {
            this.asked.set(Some((this.f)(request, failed)));
        }
        let future = this.asked.as_pin_mut().expect("a plan is not polled after a panic");
        Poll::Ready(Served::by_function(ready!(future.poll(cx))))
    }
}

impl<F, Fut, Request> fmt::Debug for AsyncRequestPlan<F, Fut, Request> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncRequestPlan").finish_non_exhaustive()
    }
}
