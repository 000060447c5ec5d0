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

/// Answers with what an async function makes of the failed result; see [`from_async_fn`].
pub struct FromAsyncFn<F, Fut> {
    f: F,
    future: PhantomData<fn() -> Fut>,
}

/// Answers with what the future of `f` returns, or fails with its error.
///
/// The function looks at the failed result and returns a future that does not borrow from it.
/// It runs when the call has failed, on the task of the caller.
///
/// ```
/// use tower_failover::{BoxError, fallback::from_async_fn};
///
/// let strategy = from_async_fn(|failed: &Result<String, BoxError>| {
///     let reason = failed.as_ref().map_or_else(ToString::to_string, String::clone);
///     async move { Ok(format!("not now: {reason}")) }
/// });
/// ```
///
/// # Cancel safety
///
/// The future is dropped when the call is, and when its [budget](FromAsyncFn::within) is spent.
pub const fn from_async_fn<F, T, E, Fut>(f: F) -> FromAsyncFn<F, Fut>
where
    F: Fn(&Result<T, E>) -> Fut,
    Fut: Future<Output = Result<T, BoxError>>,
{
    FromAsyncFn { f, future: PhantomData }
}

impl<F, Fut> FromAsyncFn<F, Fut> {
    combinators!();
}

impl<F, Fut> Clone for FromAsyncFn<F, Fut>
where
    F: Clone,
{
    fn clone(&self) -> Self {
        Self { f: self.f.clone(), future: PhantomData }
    }
}

impl<F, Fut, Request> Strategy<Request> for FromAsyncFn<F, Fut>
where
    F: Clone,
{
    type Plan = AsyncPlan<F, Fut>;

    fn plan(&self, _: &Request) -> Self::Plan {
        AsyncPlan { f: self.f.clone(), asked: None }
    }
}

impl<F, Fut> fmt::Debug for FromAsyncFn<F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FromAsyncFn").field(&format_args!("{}", type_name::<F>())).finish()
    }
}

pin_project! {
    /// The plan of a [`FromAsyncFn`]: the function, then its future.
    pub struct AsyncPlan<F, Fut> {
        f: F,
        #[pin]
        asked: Option<Fut>,
    }
}

impl<F, Fut, T, E> Plan<T, E> for AsyncPlan<F, Fut>
where
    F: Fn(&Result<T, E>) -> Fut,
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
        loop {
            match this.asked.as_mut().as_pin_mut() {
                Some(future) => return Poll::Ready(Served::by_function(ready!(future.poll(cx)))),
                None => this.asked.set(Some((this.f)(failed))),
            }
        }
    }
}

impl<F, Fut> fmt::Debug for AsyncPlan<F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncPlan").finish_non_exhaustive()
    }
}
