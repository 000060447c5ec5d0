use std::task::{Context, Poll};

use tower_service::Service;

use super::{AtHead, Guard, Held, Settle, Waiter, future::ResponseFuture, unready::Unready};
use crate::BoxError;

/// Asks a guard before each call; the inner service is touched only if it says yes.
///
/// See the [module](super) for what it does when.
#[derive(Debug)]
pub struct Gate<S, G, J = AtHead> {
    inner: S,
    guard: G,
    settle: J,
    /// What the last `poll_ready` decided.
    refused: Option<BoxError>,
    waiter: Waiter,
}

impl<S, G> Gate<S, G> {
    /// Asks this guard; every error is a failure.
    #[must_use]
    pub const fn new(inner: S, guard: G) -> Self {
        let settle = AtHead::new(crate::ErrorsAreFailures);
        Self { inner, guard, settle, refused: None, waiter: Waiter::new() }
    }
}

impl<S, G, J> Gate<S, G, J> {
    /// Tells failures from successes by this classifier, when the inner future is done.
    #[must_use]
    pub fn classify<C>(self, classifier: C) -> Gate<S, G, AtHead<C>> {
        self.settle(AtHead::new(classifier))
    }

    /// Settles in this way.
    #[must_use]
    pub fn settle<K>(self, settle: K) -> Gate<S, G, K> {
        let Self { inner, guard, settle: _, refused, waiter } = self;
        Gate { inner, guard, settle, refused, waiter }
    }

    /// The guard.
    pub const fn guard(&self) -> &G {
        &self.guard
    }

    /// Whether the last `poll_ready` decided that the next call is refused.
    pub(crate) const fn has_refused(&self) -> bool {
        self.refused.is_some()
    }

    /// The inner service.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.inner
    }
}

/// The clone is not ready, whatever the original is.
impl<S, G, J> Clone for Gate<S, G, J>
where
    S: Clone,
    G: Clone,
    J: Clone,
{
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            guard: self.guard.clone(),
            settle: self.settle.clone(),
            refused: None,
            waiter: Waiter::new(),
        }
    }
}

impl<S, G, J, Request> Service<Request> for Gate<S, G, J>
where
    S: Service<Request>,
    S::Error: Into<BoxError>,
    G: Guard<Request>,
    J: Settle<G::Pass, S::Response, S::Error> + Clone,
{
    type Response = J::Output;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future, G::Pass, J>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.refuses() {
            return Poll::Ready(Ok(()));
        }
        match Unready::run(&self.guard, || self.inner.poll_ready(cx)) {
            Poll::Ready(Ok(())) => {
                self.waiter.rest();
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => {
                self.waiter.rest();
                Poll::Ready(Err(self.charge(error)))
            }
            Poll::Pending => {
                let Some(waiters) = self.guard.waiters() else { return Poll::Pending };
                waiters.register(&mut self.waiter, cx.waker());
                // The gate may have shut before it knew about this task.
                if self.refuses() {
                    self.waiter.rest();
                    return Poll::Ready(Ok(()));
                }
                Poll::Pending
            }
        }
    }

    // By a mere hint it stays out of line where a program holds several gates: the overhead bench
    // then read 7 ns more a call.
    #[inline(always)]
    fn call(&mut self, request: Request) -> Self::Future {
        if let Some(refused) = self.refused.take() {
            self.guard.refused(&refused);
            return ResponseFuture::refused(refused);
        }
        match self.guard.admit(&request) {
            Err(rejection) => {
                let refused = rejection.into();
                self.guard.refused(&refused);
                ResponseFuture::refused(refused)
            }
            Ok(pass) => self.call_admitted(request, pass),
        }
    }
}

impl<S, G, J> Gate<S, G, J> {
    /// Calls the inner service, which was polled ready, with a pass that its guard has given.
    #[inline(always)]
    pub(crate) fn call_admitted<Request>(
        &mut self,
        request: Request,
        pass: G::Pass,
    ) -> ResponseFuture<S::Future, G::Pass, J>
    where
        S: Service<Request>,
        G: Guard<Request>,
        J: Clone,
    {
        let mut held = Held::new(pass);
        let future = held.run(|| self.inner.call(request));
        ResponseFuture::admitted(future, held, self.settle.clone())
    }

    /// Decides what `call` will do.
    #[inline]
    fn refuses<Request>(&mut self) -> bool
    where
        G: Guard<Request>,
    {
        match self.guard.refusal() {
            Some(rejection) => {
                self.refused = Some(rejection.into());
                true
            }
            None => {
                if self.refused.is_some() {
                    self.unrefuse();
                }
                false
            }
        }
    }

    /// The gate opened again before the refused call was made.
    #[cold]
    fn unrefuse(&mut self) {
        self.refused = None;
    }

    #[cold]
    fn charge<Request>(&self, error: S::Error) -> BoxError
    where
        S: Service<Request>,
        S::Error: Into<BoxError>,
        G: Guard<Request>,
        J: Settle<G::Pass, S::Response, S::Error> + Clone,
    {
        let Some(pass) = self.guard.charge() else { return error.into() };
        match self.settle.clone().settle(pass, Err(error)) {
            Err(error) => error.into(),
            Ok(_) => "the inner service is not ready".into(),
        }
    }
}
