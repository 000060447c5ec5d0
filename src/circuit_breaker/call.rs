use std::{
    error::Error,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use super::{Circuit, Open, Permit};
use crate::{
    Classify,
    gate::{AtHead, Held, Settle},
};

pin_project! {
    /// A future behind a circuit, from [`Circuit::call`].
    ///
    /// # Errors
    ///
    /// [`CallError::Open`] if the circuit refuses, without polling the inner future; else the inner
    /// error in [`CallError::Inner`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it once it was polled counts as a cancelled call; before, as nothing.
    ///
    /// # Panics
    ///
    /// If polled again after it was done.
    #[must_use = "futures do nothing unless polled"]
    pub struct Call<F, C> {
        #[pin]
        future: F,
        circuit: Circuit,
        classifier: Option<C>,
        held: Option<Held<Permit>>,
    }
}

/// The error of a [`Call`].
#[derive(Clone, Debug)]
pub enum CallError<E> {
    /// The circuit refused: the inner future was not polled.
    Open(Open),
    /// The inner future failed.
    Inner(E),
}

const DONE: &str = "a future is not polled after it was done";

impl<F, C> Call<F, C> {
    pub(super) fn new(circuit: Circuit, future: F, classifier: C) -> Self {
        Self { future, circuit, classifier: Some(classifier), held: None }
    }

    /// Tells failures from successes by this classifier.
    pub fn classify<D>(self, classifier: D) -> Call<F, D> {
        let Self { future, circuit, held, .. } = self;
        Call { future, circuit, classifier: Some(classifier), held }
    }
}

impl<F, C, T, E> Future for Call<F, C>
where
    F: Future<Output = Result<T, E>>,
    C: Classify<T, E>,
{
    type Output = Result<T, CallError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let held = match this.held {
            Some(held) => held,
            None => match this.circuit.permit() {
                Ok(permit) => this.held.insert(Held::new(permit)),
                Err(open) => {
                    this.classifier.take().expect(DONE);
                    return Poll::Ready(Err(CallError::Open(open)));
                }
            },
        };
        let Poll::Ready(result) = held.run(|| this.future.poll(cx)) else { return Poll::Pending };
        let classifier = this.classifier.take().expect(DONE);
        let settled = AtHead::new(classifier).settle(held.take(), result);
        Poll::Ready(settled.map_err(CallError::Inner))
    }
}

impl<F, C> fmt::Debug for Call<F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("circuit", &self.circuit).finish_non_exhaustive()
    }
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(open) => fmt::Display::fmt(open, f),
            Self::Inner(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl<E: Error + 'static> Error for CallError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Open(open) => Some(open),
            Self::Inner(error) => Some(error),
        }
    }
}
