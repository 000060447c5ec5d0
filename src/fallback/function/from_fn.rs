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

/// Answers with what a function makes of the failed result; see [`from_fn`].
#[derive(Clone, Copy)]
pub struct FromFn<F> {
    f: F,
}

/// Answers with what `f` makes of the failed result, or fails with its error.
///
/// The function is copied for each call: capture little, or behind an `Arc`. Its parameter needs
/// a type; it is the one that classifiers get, because a response can be a failure too.
///
/// ```
/// use tower_failover::{BoxError, fallback::from_fn};
///
/// let strategy = from_fn(|failed: &Result<String, BoxError>| match failed {
///     Err(error) => Ok(format!("not now: {error}")),
///     Ok(_) => Err("the response said it all".into()),
/// });
/// ```
pub const fn from_fn<F, T, E>(f: F) -> FromFn<F>
where
    F: Fn(&Result<T, E>) -> Result<T, BoxError>,
{
    FromFn { f }
}

impl<F> FromFn<F> {
    combinators!();
}

impl<F, Request> Strategy<Request> for FromFn<F>
where
    F: Clone,
{
    type Plan = Self;

    fn plan(&self, _: &Request) -> Self {
        self.clone()
    }
}

impl<F, T, E> Plan<T, E> for FromFn<F>
where
    F: Fn(&Result<T, E>) -> Result<T, BoxError>,
{
    fn failed(&self, reason: &str) -> Failed {
        Failed::new(Source::Function.as_str(), reason)
    }

    fn poll_recover(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        failed: &Result<T, E>,
    ) -> Poll<Result<Served<T>, Failed>> {
        Poll::Ready(Served::by_function((self.f)(failed)))
    }
}

impl<F> fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FromFn").field(&format_args!("{}", type_name::<F>())).finish()
    }
}
