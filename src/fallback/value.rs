use std::{
    any::type_name,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use super::{Failed, Plan, Served, Source, Strategy, With, chain::combinators};

/// Answers with a fixed value.
///
/// | made by | asks of the response | costs each call | costs each answer |
/// |---|---|---|---|
/// | [`with`](Self::with) | nothing | a copy of what the function captured: nothing if that is nothing | the function |
/// | [`of`](Self::of) | `Clone` | one reference count (10 ns, shared by all threads) | a clone |
///
/// ```
/// use tower_failover::fallback::Value;
///
/// let greeting = Value::with(|| String::from("back soon"));
/// let settings = Value::of(vec![1, 2, 3]);
/// ```
#[derive(Clone)]
pub struct Value<M> {
    make: M,
}

impl<T> Value<Arc<T>> {
    /// Answers with clones of this value, made only when they are needed.
    pub fn of(value: T) -> Self {
        Self { make: Arc::new(value) }
    }
}

impl<F> Value<With<F>> {
    /// Answers with what this function returns.
    pub const fn with(make: F) -> Self {
        Self { make: With(make) }
    }
}

impl<M> Value<M> {
    combinators!();
}

impl<M, Request> Strategy<Request> for Value<M>
where
    M: Clone,
{
    type Plan = Self;

    #[inline]
    fn plan(&self, _: &Request) -> Self {
        self.clone()
    }
}

impl<T, E> Plan<T, E> for Value<Arc<T>>
where
    T: Clone,
{
    fn failed(&self, reason: &str) -> Failed {
        Failed::new(Source::Value.as_str(), reason)
    }

    #[inline]
    fn poll_recover(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &Result<T, E>,
    ) -> Poll<Result<Served<T>, Failed>> {
        Poll::Ready(Ok(Served::new(T::clone(&self.make), Source::Value)))
    }
}

impl<F, T, E> Plan<T, E> for Value<With<F>>
where
    F: Fn() -> T,
{
    fn failed(&self, reason: &str) -> Failed {
        Failed::new(Source::Value.as_str(), reason)
    }

    #[inline]
    fn poll_recover(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &Result<T, E>,
    ) -> Poll<Result<Served<T>, Failed>> {
        Poll::Ready(Ok(Served::new(self.make.0(), Source::Value)))
    }
}

impl<M> fmt::Debug for Value<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Value").field(&format_args!("{}", type_name::<M>())).finish()
    }
}
