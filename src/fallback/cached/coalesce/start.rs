use std::{
    future::ready,
    mem,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use tower_service::Service;

use super::{
    Coalesce, LeftAlone, Origin, Shareable,
    desk::{Desk, when_ready},
    first::First,
    load::Load,
    next::Next,
    table::Seat,
    ticket::Ticket,
};
use crate::{
    BoxError, Classify,
    fallback::{
        Elapsed,
        cached::{Keeper, Query, entry::Entry},
    },
    logic::{Condition, Moment},
};

/// What a caller does first.
pub(super) enum Start<S, Request, Fut, Q, C>
where
    Q: Keeper,
{
    /// His request has nothing to do with the cache.
    Pass(Alone<S, Request, Fut>),
    /// He has his answer.
    Answer(Arc<Entry<Q::Stored>>),
    Fail(BoxError),
    /// He makes a call, and waits so long.
    Alone(Duration, Alone<S, Request, Fut>),
    First(Duration, First<Q, C>),
    /// He waits for the call of another, so long.
    Next(Duration, Next<Q, C>, Again<S, Request, Q>),
}

/// A call for one caller only.
pub(super) enum Alone<S, Request, Fut> {
    Called(Fut),
    /// The service was not ready.
    Waiting(S, Request),
    Failed(BoxError),
}

/// What a caller needs who does not get the answer that he waited for.
pub(super) struct Again<S, Request, Q>
where
    Q: Keeper,
{
    pub(super) note: Q::Note,
    pub(super) inner: S,
    pub(super) request: Request,
}

impl<S, Q, C> Coalesce<S, Q, C>
where
    Q: Keeper,
{
    pub(super) fn start<Request>(
        &mut self,
        request: Request,
        now: Moment,
    ) -> Start<S, Request, S::Future, Q, C>
    where
        S: Origin<Request, Q>,
        Request: Send + 'static,
        Q: Query<Request> + Shareable,
        C: Classify<Q::Response, S::Error> + Send + Sync + 'static,
    {
        let desk = self.desk.clone();
        let Some(key) = desk.keeper.key(&request) else {
            return Start::Pass(self.alone(request));
        };
        let is_stale = match desk.look(&request, &key, now) {
            Known::Fresh(entry) => {
                entry.answers(now);
                self.refresh(&entry, request, key, now);
                return Start::Answer(entry);
            }
            Known::LeftAlone(wait) => return Start::Fail(LeftAlone::new(wait).into()),
            Known::Stale => true,
            Known::Nothing => false,
        };
        let soft = desk.waits.soft.filter(|_| is_stale);
        let limit = soft.unwrap_or(desk.waits.hard);
        if desk.table.is_apart(&key, now) {
            return Start::Alone(limit, self.alone(request));
        }
        match desk.sit(&key, now, soft.is_some()) {
            Seat::First(load) => {
                let ticket = desk.ticket(load.clone(), key);
                // Another load may have ended while this caller was on his way to the table.
                match desk.look(&request, ticket.key(), now) {
                    Known::Fresh(entry) => {
                        entry.answers(now);
                        Start::Answer(entry)
                    }
                    Known::LeftAlone(wait) => Start::Fail(LeftAlone::new(wait).into()),
                    Known::Stale | Known::Nothing => {
                        Start::First(limit, self.first(load, ticket, request))
                    }
                }
            }
            Seat::Next(load) if soft.is_some_and(|soft| now - load.fill.began >= soft) => {
                Start::Fail(Elapsed::new(limit).into())
            }
            Seat::Next(load) => {
                let (note, inner) = (desk.keeper.note(&request), self.inner.clone());
                Start::Next(
                    limit,
                    Next::new(desk, load, soft.is_some()),
                    Again { note, inner, request },
                )
            }
        }
    }

    /// Makes the call for whoever waits for this load.
    fn first<Request>(
        &mut self,
        load: Arc<Load<Q::Stored>>,
        ticket: Ticket<Q, C>,
        request: Request,
    ) -> First<Q, C>
    where
        S: Origin<Request, Q>,
        Request: Send + 'static,
        Q: Query<Request> + Shareable,
        C: Classify<Q::Response, S::Error> + Send + Sync + 'static,
    {
        let note = self.desk.keeper.note(&request);
        let call = match self.poll_inner() {
            Poll::Ready(Ok(())) => self.desk.call(self.inner.call(request), ticket, note),
            Poll::Ready(Err(error)) => self.desk.call(ready(Err(error)), ticket, note),
            Poll::Pending => {
                let inner = self.take_inner();
                self.desk.call(when_ready(inner, request), ticket, note)
            }
        };
        First::new(self.desk.clone(), load, call)
    }

    /// Has a newer answer loaded in the background, if the fallback above wants one.
    fn refresh<Request>(
        &mut self,
        entry: &Entry<Q::Stored>,
        request: Request,
        key: Q::Key,
        now: Moment,
    ) where
        S: Origin<Request, Q>,
        Request: Send + 'static,
        Q: Query<Request> + Shareable,
        C: Classify<Q::Response, S::Error> + Send + Sync + 'static,
    {
        if !entry.is_claimed() {
            return;
        }
        if !self.desk.cache.jobs().has_place() {
            entry.refresh_ended();
        } else if let Seat::First(load) = self.desk.sit(&key, now, true) {
            load.go_on();
            let ticket = self.desk.ticket(load.clone(), key);
            drop(self.first(load, ticket, request));
        }
    }

    fn alone<Request>(&mut self, request: Request) -> Alone<S, Request, S::Future>
    where
        S: Service<Request> + Clone,
        S::Error: Into<BoxError>,
    {
        match self.poll_inner() {
            Poll::Ready(Ok(())) => Alone::Called(self.inner.call(request)),
            Poll::Ready(Err(error)) => Alone::Failed(error.into()),
            Poll::Pending => Alone::Waiting(self.take_inner(), request),
        }
    }

    /// Whether the inner service is ready now. If it is not, whoever takes it polls it again.
    fn poll_inner<Request>(&mut self) -> Poll<Result<(), S::Error>>
    where
        S: Service<Request>,
    {
        self.inner.poll_ready(&mut Context::from_waker(Waker::noop()))
    }

    /// The instance that was polled; this service goes on with a clone.
    fn take_inner(&mut self) -> S
    where
        S: Clone,
    {
        let clone = self.inner.clone();
        mem::replace(&mut self.inner, clone)
    }
}

/// What is kept that may answer a request.
enum Known<V> {
    Fresh(Arc<Entry<V>>),
    /// Something stale, whose source is to be left alone for so long.
    LeftAlone(Duration),
    Stale,
    Nothing,
}

impl<Q, C> Desk<Q, C>
where
    Q: Keeper,
{
    fn look<Request>(&self, request: &Request, key: &Q::Key, now: Moment) -> Known<Q::Stored>
    where
        Q: Query<Request>,
    {
        let Some((entry, condition)) = self.cache.shelf().find(key, now) else {
            return Known::Nothing;
        };
        if !self.keeper.admits(request, entry.found(now)) {
            return Known::Nothing;
        }
        match (condition, entry.left_alone_for(now)) {
            (Condition::Fresh, _) => Known::Fresh(entry),
            (Condition::Stale | Condition::Past, Some(wait)) => Known::LeftAlone(wait),
            (Condition::Stale | Condition::Past, None) => Known::Stale,
        }
    }
}
