use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use super::combinators;
use crate::fallback::{Failed, Plan, Served, Strategy};

/// Asks a second strategy when the first one fails.
///
/// Plans of both are made before the call, and both learn from a success.
///
/// ```
/// use std::time::Duration;
/// use tower::service_fn;
/// use tower_failover::{BoxError, fallback::{Backup, Value}};
///
/// let replica = service_fn(async |key: String| Ok::<_, BoxError>(format!("{key} from afar")));
/// let strategy = Backup::new(replica)
///     .within(Duration::from_millis(50))
///     .or(Value::with(|| String::from("unknown")));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Or<A, B> {
    first: A,
    second: B,
}

impl<A, B> Or<A, B> {
    /// Asks `first`, then `second`.
    pub const fn new(first: A, second: B) -> Self {
        Self { first, second }
    }

    combinators!();
}

impl<A, B, Request> Strategy<Request> for Or<A, B>
where
    A: Strategy<Request>,
    B: Strategy<Request>,
{
    type Plan = OrPlan<A::Plan, B::Plan>;

    fn plan(&self, request: &Request) -> Self::Plan {
        let (first, second) = (self.first.plan(request), self.second.plan(request));
        OrPlan { first, second, first_failed: None }
    }
}

pin_project! {
    /// The plan of an [`Or`]: that of each strategy, and why the first one failed.
    pub struct OrPlan<A, B> {
        #[pin]
        first: A,
        #[pin]
        second: B,
        first_failed: Option<Failed>,
    }
}

impl<A, B, T, E> Plan<T, E> for OrPlan<A, B>
where
    A: Plan<T, E>,
    B: Plan<T, E>,
{
    fn failed(&self, reason: &str) -> Failed {
        match &self.first_failed {
            Some(before) => before.clone().then(self.second.failed(reason)),
            None => self.first.failed(reason),
        }
    }

    fn answer(&mut self) -> Option<Served<T>> {
        self.first.answer().or_else(|| self.second.answer())
    }

    fn refreshes(&mut self) -> bool {
        self.first.refreshes() || self.second.refreshes()
    }

    fn learn(self: Pin<&mut Self>, response: &mut T) {
        let this = self.project();
        this.first.learn(response);
        this.second.learn(response);
    }

    fn poll_recover(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        failed: &Result<T, E>,
    ) -> Poll<Result<Served<T>, Failed>> {
        let this = self.project();
        if this.first_failed.is_none() {
            match ready!(this.first.poll_recover(cx, failed)) {
                Ok(served) => return Poll::Ready(Ok(served)),
                Err(reason) => *this.first_failed = Some(reason),
            }
        }
        let served = ready!(this.second.poll_recover(cx, failed));
        Poll::Ready(served.map_err(|reason| match this.first_failed.take() {
            Some(before) => before.then(reason),
            None => reason,
        }))
    }
}

impl<A, B> fmt::Debug for OrPlan<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrPlan").field("first_failed", &self.first_failed).finish_non_exhaustive()
    }
}
