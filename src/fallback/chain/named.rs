use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use super::combinators;
use crate::{
    event::Name,
    fallback::{Failed, Plan, Served, Strategy},
};

/// Gives a strategy a name, to tell two of a kind apart.
///
/// The name stands in [`Served::strategy`], in [`Event::FellBack`](crate::event::Event::FellBack)
/// and before each reason of the strategy. A literal costs a call nothing but its copy.
#[derive(Clone, Debug)]
pub struct Named<F> {
    strategy: F,
    name: Name,
}

impl<F> Named<F> {
    /// Calls `strategy` by this name.
    pub fn new(strategy: F, name: impl Into<Name>) -> Self {
        Self { strategy, name: name.into() }
    }

    combinators!();
}

impl<F, Request> Strategy<Request> for Named<F>
where
    F: Strategy<Request>,
{
    type Plan = NamedPlan<F::Plan>;

    fn plan(&self, request: &Request) -> Self::Plan {
        NamedPlan { plan: self.strategy.plan(request), name: self.name.clone() }
    }
}

pin_project! {
    /// The plan of a [`Named`]: that of the strategy, and the name.
    pub struct NamedPlan<P> {
        #[pin]
        plan: P,
        name: Name,
    }
}

impl<P, T, E> Plan<T, E> for NamedPlan<P>
where
    P: Plan<T, E>,
{
    fn failed(&self, reason: &str) -> Failed {
        self.plan.failed(reason).named(&self.name)
    }

    fn answer(&mut self) -> Option<Served<T>> {
        self.plan.answer().map(|served| served.named(&self.name))
    }

    fn refreshes(&mut self) -> bool {
        self.plan.refreshes()
    }

    fn learn(self: Pin<&mut Self>, response: &mut T) {
        self.project().plan.learn(response);
    }

    fn poll_recover(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        failed: &Result<T, E>,
    ) -> Poll<Result<Served<T>, Failed>> {
        let this = self.project();
        Poll::Ready(match ready!(this.plan.poll_recover(cx, failed)) {
            Ok(served) => Ok(served.named(this.name)),
            Err(reasons) => Err(reasons.named(this.name)),
        })
    }
}

impl<P> fmt::Debug for NamedPlan<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamedPlan").field("name", &self.name).finish_non_exhaustive()
    }
}
