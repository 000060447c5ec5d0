use std::{
    pin::Pin,
    task::{Context, Poll},
};

use super::{Failed, Served};

/// What a [`Strategy`](super::Strategy) does for one request.
///
/// The fallback asks [`answer`](Self::answer) before the call. If that gives nothing, the call is
/// made, and exactly one of these follows: [`learn`](Self::learn) when the inner service
/// succeeded, [`poll_recover`](Self::poll_recover) when it failed, neither when the result is the
/// caller's own error. A call that is cancelled drops its plan.
///
/// A plan is its own future and only *looks* at the failed result. The fallback owns that result,
/// so no strategy can lose it, not even one that is cut off by its budget: if nobody answers, the
/// caller gets it back as it was.
///
/// ```
/// use std::{pin::Pin, task::{Context, Poll}};
/// use tower_failover::fallback::{Failed, Plan, Served, Source, Strategy};
///
/// /// Answers with the number of the request.
/// struct Echo;
/// struct Number(u64);
///
/// impl Strategy<u64> for Echo {
///     type Plan = Number;
///
///     fn plan(&self, request: &u64) -> Number {
///         Number(*request)
///     }
/// }
///
/// impl<E> Plan<String, E> for Number {
///     fn poll_recover(
///         self: Pin<&mut Self>,
///         _cx: &mut Context<'_>,
///         _failed: &Result<String, E>,
///     ) -> Poll<Result<Served<String>, Failed>> {
///         Poll::Ready(match self.0 {
///             0 => Err(Failed::new("echo", "nothing to say")),
///             number => Ok(Served::new(number.to_string(), Source::Custom("echo"))),
///         })
///     }
/// }
/// ```
pub trait Plan<T, E> {
    /// How this strategy fails for a reason from outside: its budget is spent.
    ///
    /// Default: that reason under the name `strategy`.
    fn failed(&self, reason: &str) -> Failed {
        Failed::new("strategy", reason)
    }

    /// Answers at once, so that the inner service is not called at all.
    ///
    /// For strategies that know the answer already, as a cache does. Default: nothing.
    fn answer(&mut self) -> Option<Served<T>> {
        None
    }

    /// Whether the inner service is called although there was an [answer](Self::answer), so that
    /// there is a newer one next time. Default: no.
    ///
    /// The response of that call goes to nobody, and its future is dropped at once: a layer below
    /// has to finish calls that nobody waits for, as `cached::Coalesce` does.
    fn refreshes(&mut self) -> bool {
        false
    }

    /// Takes note of what the inner service answered. Default: nothing.
    ///
    /// It may change the response on its way to the caller: to copy a body while it is read, it has
    /// to be wrapped.
    fn learn(self: Pin<&mut Self>, response: &mut T) {
        let _ = response;
    }

    /// Looks for another answer to the request whose call ended as `failed`.
    ///
    /// Polled as a future is: until it is ready and not again, with the same `failed` each time.
    ///
    /// # Errors
    ///
    /// Why there is no other answer. The next strategy of a chain is asked then, and after the
    /// last one the caller gets the original result.
    fn poll_recover(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        failed: &Result<T, E>,
    ) -> Poll<Result<Served<T>, Failed>>;
}
