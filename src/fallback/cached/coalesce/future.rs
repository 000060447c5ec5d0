//! The future of a [`Coalesce`].

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep_until};

use super::{
    Coalesce, Origin, Shareable,
    desk::Desk,
    first::First,
    load::End,
    next::Next,
    start::{Again, Alone, Start},
};
use crate::{
    BoxError, Classify, clock,
    fallback::{
        Elapsed,
        cached::{Found, Keeper, Query, entry::Entry},
    },
    logic::Moment,
};

pin_project! {
    /// The answer of the caller's own call, of another's, or of the cache.
    ///
    /// # Panics
    ///
    /// When the answer is not there at once, outside of a tokio runtime with a timer. If polled
    /// again after it was done.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, Request, Fut, Q, C>
    where
        Q: Keeper,
    {
        #[pin]
        state: State<S, Request, Fut, Q, C>,
        desk: Arc<Desk<Q, C>>,
        began: Moment,
        limit: Option<Duration>,
        #[pin]
        sleep: Option<Sleep>,
        // How often the answer that he waited for was none for him.
        vain: u32,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, Request, Fut, Q, C>
    where
        Q: Keeper,
    {
        Answer { entry: Arc<Entry<Q::Stored>>, now: Moment },
        Fail { error: Option<BoxError> },
        First { first: First<Q, C> },
        Next { next: Next<Q, C>, again: Option<Again<S, Request, Q>> },
        // Waits for a service of his own.
        Waiting { inner: S, request: Option<Request> },
        Calling { #[pin] future: Fut },
        Done,
    }
}

/// Thousands whose time is up at once need a while to be told: they are told so much earlier, but by
/// no more than a twentieth.
const CROWD: Duration = Duration::from_millis(2);

/// So often a caller waits for another's call; then he makes his own.
const MOST_VAIN: u32 = 3;

impl<S, Request, Fut, Q, C> ResponseFuture<S, Request, Fut, Q, C>
where
    Q: Keeper,
{
    pub(super) fn new(
        start: Start<S, Request, Fut, Q, C>,
        desk: Arc<Desk<Q, C>>,
        began: Moment,
    ) -> Self {
        let (limit, state) = State::of(start, began);
        Self { state, desk, began, limit, sleep: None, vain: 0 }
    }
}

impl<S, Request, Fut, Q, C> State<S, Request, Fut, Q, C>
where
    Q: Keeper,
{
    fn of(start: Start<S, Request, Fut, Q, C>, now: Moment) -> (Option<Duration>, Self) {
        match start {
            Start::Pass(alone) => (None, Self::alone(alone)),
            Start::Answer(entry) => (None, Self::Answer { entry, now }),
            Start::Fail(error) => (None, Self::Fail { error: Some(error) }),
            Start::Alone(limit, alone) => (Some(limit), Self::alone(alone)),
            Start::First(limit, first) => (Some(limit), Self::First { first }),
            Start::Next(limit, next, again) => {
                (Some(limit), Self::Next { next, again: Some(again) })
            }
        }
    }

    fn alone(alone: Alone<S, Request, Fut>) -> Self {
        match alone {
            Alone::Called(future) => Self::Calling { future },
            Alone::Waiting(inner, request) => Self::waiting(inner, request),
            Alone::Failed(error) => Self::Fail { error: Some(error) },
        }
    }

    const fn waiting(inner: S, request: Request) -> Self {
        Self::Waiting { inner, request: Some(request) }
    }
}

impl<S, Request, Q, C> ResponseFuture<S, Request, S::Future, Q, C>
where
    S: Origin<Request, Q>,
    Request: Send + 'static,
    Q: Query<Request> + Shareable,
    C: Classify<Q::Response, S::Error> + Send + Sync + 'static,
{
    fn poll_answer(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Q::Response, BoxError>> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                StateProj::Answer { entry, now } => {
                    let found = entry.found(*now);
                    return Poll::Ready(Ok(this.desk.keeper.restore(found)));
                }
                StateProj::Fail { error } => {
                    return Poll::Ready(Err(error.take().expect(COMPLETED)));
                }
                StateProj::First { first } => return first.poll(cx).map_err(Into::into),
                StateProj::Next { next, again } => {
                    let end = ready!(next.poll(cx));
                    let Again { note, inner, request } = again.take().expect(COMPLETED);
                    let together = match end {
                        End::Failed(error) => return Poll::Ready(Err(error.into())),
                        End::Kept(entry) if entry.is_outlived(clock::now()) => true,
                        End::Kept(entry) => {
                            let age = entry.age(clock::now());
                            let found = Found::new(&entry.stored, age, true);
                            if this.desk.keeper.permits(&note, found) {
                                return Poll::Ready(Ok(this.desk.keeper.restore(found)));
                            }
                            true
                        }
                        End::Lost => true,
                        End::Refused => false,
                    };
                    *this.vain += 1;
                    if together && *this.vain < MOST_VAIN {
                        let now = clock::now();
                        let mut service = Coalesce::new(inner, this.desk.clone());
                        State::of(service.start(request, now), now).1
                    } else {
                        State::waiting(inner, request)
                    }
                }
                StateProj::Waiting { inner, request } => {
                    ready!(inner.poll_ready(cx)).map_err(Into::into)?;
                    let request = request.take().expect(COMPLETED);
                    State::Calling { future: inner.call(request) }
                }
                StateProj::Calling { future } => return future.poll(cx).map_err(Into::into),
                StateProj::Done => panic!("{COMPLETED}"),
            };
            this.state.set(next);
        }
    }
}

impl<S, Request, Q, C> Future for ResponseFuture<S, Request, S::Future, Q, C>
where
    S: Origin<Request, Q>,
    Request: Send + 'static,
    Q: Query<Request> + Shareable,
    C: Classify<Q::Response, S::Error> + Send + Sync + 'static,
{
    type Output = Result<Q::Response, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(result) = self.as_mut().poll_answer(cx) {
            return Poll::Ready(result);
        }
        let mut this = self.project();
        let Some(limit) = *this.limit else { return Poll::Pending };
        if this.sleep.is_none() {
            let left = limit.saturating_sub(clock::now() - *this.began);
            let left = left - CROWD.min(left / 20);
            this.sleep.set(Some(sleep_until(clock::deadline(left))));
        }
        if let Some(sleep) = this.sleep.as_mut().as_pin_mut() {
            ready!(sleep.poll(cx));
        }
        match this.state.as_mut().project() {
            StateProj::First { first } => first.go_on(),
            StateProj::Next { next, .. } => next.go_on(),
            StateProj::Answer { .. }
            | StateProj::Fail { .. }
            | StateProj::Waiting { .. }
            | StateProj::Calling { .. }
            | StateProj::Done => {}
        }
        this.state.set(State::Done);
        Poll::Ready(Err(Elapsed::new(limit).into()))
    }
}

impl<S, Request, Fut, Q, C> fmt::Debug for ResponseFuture<S, Request, Fut, Q, C>
where
    Q: Keeper,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::Answer { .. } => "ResponseFuture(answered)",
            State::Fail { .. } => "ResponseFuture(failed)",
            State::First { .. } => "ResponseFuture(first)",
            State::Next { .. } => "ResponseFuture(next)",
            State::Waiting { .. } => "ResponseFuture(waiting)",
            State::Calling { .. } => "ResponseFuture(calling)",
            State::Done => "ResponseFuture(done)",
        })
    }
}

const COMPLETED: &str = "a future is not polled after it completed or panicked";
