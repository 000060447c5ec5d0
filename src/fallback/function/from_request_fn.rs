use std::{
    any::type_name,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use crate::{
    BoxError,
    fallback::{Failed, Plan, Served, Source, Strategy, chain::combinators},
};

/// Answers with what a function makes of the request and its failed result; see
/// [`from_request_fn`].
#[derive(Clone, Copy)]
pub struct FromRequestFn<F> {
    f: F,
}

/// Answers with what `f` makes of the request and its failed result, or fails with its error.
///
/// Like [`from_fn`](super::from_fn), at the cost of a clone of every request.
///
/// ```
/// use tower_failover::{BoxError, fallback::from_request_fn};
///
/// let strategy = from_request_fn(|key: &String, _failed: &Result<String, BoxError>| {
///     Ok(format!("{key} is away"))
/// });
/// ```
pub const fn from_request_fn<F, Request, T, E>(f: F) -> FromRequestFn<F>
where
    F: Fn(&Request, &Result<T, E>) -> Result<T, BoxError>,
{
    FromRequestFn { f }
}

impl<F> FromRequestFn<F> {
    combinators!();
}

impl<F, Request> Strategy<Request> for FromRequestFn<F>
where
    F: Clone,
    Request: Clone,
{
    type Plan = RequestPlan<F, Request>;

    fn plan(&self, request: &Request) -> Self::Plan {
        RequestPlan { f: self.f.clone(), request: request.clone() }
    }
}

impl<F> fmt::Debug for FromRequestFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FromRequestFn").field(&format_args!("{}", type_name::<F>())).finish()
    }
}

/// The plan of a [`FromRequestFn`]: the function and the request.
pub struct RequestPlan<F, Request> {
    f: F,
    request: Request,
}

impl<F, Request, T, E> Plan<T, E> for RequestPlan<F, Request>
where
    F: Fn(&Request, &Result<T, E>) -> Result<T, BoxError>,
{
    fn failed(&self, reason: &str) -> Failed {
        Failed::new(Source::Function.as_str(), reason)
    }

    fn poll_recover(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        failed: &Result<T, E>,
    ) -> Poll<Result<Served<T>, Failed>> {
        Poll::Ready(Served::by_function((self.f)(&self.request, failed)))
    }
}

impl<F, Request> fmt::Debug for RequestPlan<F, Request> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestPlan").finish_non_exhaustive()
    }
}
