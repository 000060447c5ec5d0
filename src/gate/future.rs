//! The future of a [`Gate`](super::Gate).

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use super::{Held, Pass, Settle};
use crate::BoxError;

pin_project! {
    /// The response of a [`Gate`](super::Gate): a refusal, or that of the inner service.
    ///
    /// # Cancel safety
    ///
    /// Dropping it before it is done settles the pass as cancelled.
    ///
    /// # Panics
    ///
    /// If polled again after it was done.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, P, J>
    where
        P: Pass,
    {
        #[pin]
        state: State<F, P, J>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, P, J>
    where
        P: Pass,
    {
        Refused {
            error: Option<BoxError>,
        },
        Admitted {
            #[pin]
            future: F,
            held: Held<P>,
            settle: Option<J>,
        },
    }
}

impl<F, P, J> ResponseFuture<F, P, J>
where
    P: Pass,
{
    #[inline]
    pub(super) fn refused(error: BoxError) -> Self {
        Self { state: State::Refused { error: Some(error) } }
    }

    #[inline]
    pub(super) fn admitted(future: F, held: Held<P>, settle: J) -> Self {
        Self { state: State::Admitted { future, held, settle: Some(settle) } }
    }
}

impl<F, P, J, T, E> Future for ResponseFuture<F, P, J>
where
    F: Future<Output = Result<T, E>>,
    E: Into<BoxError>,
    P: Pass,
    J: Settle<P, T, E>,
{
    type Output = Result<J::Output, BoxError>;

    // Always, for the same reason as the `call` that makes it.
    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Refused { error } => {
                Poll::Ready(Err(error.take().expect("a future is not polled after it was done")))
            }
            StateProj::Admitted { future, held, settle } => {
                let Poll::Ready(result) = held.run(|| future.poll(cx)) else {
                    return Poll::Pending;
                };
                let settle = settle.take().expect("a future is not polled after it was done");
                Poll::Ready(settle.settle(held.take(), result).map_err(Into::into))
            }
        }
    }
}

impl<F, P, J> fmt::Debug for ResponseFuture<F, P, J>
where
    P: Pass,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::Refused { .. } => "ResponseFuture(refused)",
            State::Admitted { .. } => "ResponseFuture(admitted)",
        })
    }
}
