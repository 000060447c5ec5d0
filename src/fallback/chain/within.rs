use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};

use super::combinators;
use crate::fallback::{Failed, Plan, Served, Strategy};

/// Gives a strategy up when it does not answer within its budget.
///
/// The budget counts from when the strategy is first asked to recover. A strategy that answers at
/// once needs no timer and no runtime.
///
/// # Cancel safety
///
/// A strategy that was given up is not polled again; it is dropped at once.
#[derive(Clone, Copy, Debug)]
pub struct Within<F> {
    strategy: F,
    budget: Duration,
}

impl<F> Within<F> {
    /// Asks `strategy` for at most `budget`.
    pub const fn new(strategy: F, budget: Duration) -> Self {
        Self { strategy, budget }
    }

    combinators!();
}

impl<F, Request> Strategy<Request> for Within<F>
where
    F: Strategy<Request>,
{
    type Plan = WithinPlan<F::Plan>;

    fn plan(&self, request: &Request) -> Self::Plan {
        let plan = Some(self.strategy.plan(request));
        WithinPlan { plan, budget: self.budget, sleep: None }
    }
}

pin_project! {
    /// The plan of a [`Within`]: that of the strategy, and a timer once it is needed.
    pub struct WithinPlan<P> {
        #[pin]
        plan: Option<P>,
        budget: Duration,
        #[pin]
        sleep: Option<Sleep>,
    }
}

impl<P, T, E> Plan<T, E> for WithinPlan<P>
where
    P: Plan<T, E>,
{
    fn failed(&self, reason: &str) -> Failed {
        match &self.plan {
            Some(plan) => plan.failed(reason),
            None => Failed::new("strategy", reason),
        }
    }

    fn answer(&mut self) -> Option<Served<T>> {
        self.plan.as_mut()?.answer()
    }

    fn refreshes(&mut self) -> bool {
        self.plan.as_mut().is_some_and(Plan::refreshes)
    }

    fn learn(self: Pin<&mut Self>, response: &mut T) {
        if let Some(plan) = self.project().plan.as_pin_mut() {
            plan.learn(response);
        }
    }

    fn poll_recover(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        failed: &Result<T, E>,
    ) -> Poll<Result<Served<T>, Failed>> {
        let mut this = self.as_mut().project();
        if let Some(plan) = this.plan.as_mut().as_pin_mut()
            && let Poll::Ready(served) = plan.poll_recover(cx, failed)
        {
            return Poll::Ready(served);
        }
        if this.sleep.is_none() {
            this.sleep.set(Some(sleep(*this.budget)));
        }
        if let Some(sleep) = this.sleep.as_mut().as_pin_mut() {
            ready!(sleep.poll(cx));
        }
        let reason = format!("no answer within {:?}", this.budget);
        let failed = Plan::<T, E>::failed(&*self, &reason);
        self.project().plan.set(None);
        Poll::Ready(Err(failed))
    }
}

impl<P> fmt::Debug for WithinPlan<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithinPlan").field("budget", &self.budget).finish_non_exhaustive()
    }
}
