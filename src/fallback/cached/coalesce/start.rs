use std::{mem, sync::Arc, time::Duration};

use tower_service::Service;

use super::{
    Coalesce, LeftAlone, Shareable,
    desk::{Desk, when_ready},
    first::First,
    load::Load,
    next::Next,
    table::Seat,
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
        S: Service<Request, Response = Q::Response> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError> + Send + 'static,
        Request: Send + 'static,
        Q: Query<Request> + Shareable,
        C: Classify<Q::Response, S::Error> + Send + Sync + 'static,
    {
        let desk = self.desk.clone();
        let Some(key) = desk.keeper.key(&request) else {
            return Start::Pass(self.alone(request));
        };
        let stale = match desk.find(&request, &key, now) {
            Some((entry, Condition::Fresh)) => {
                self.refresh(&entry, request, key, now);
                return Start::Answer(entry);
            }
            kept => kept.map(|(entry, _)| entry),
        };
        if let Some(wait) = stale.as_ref().and_then(|entry| entry.left_alone_for(now)) {
            return Start::Fail(LeftAlone::new(wait).into());
        }
        let soft = desk.waits.soft.filter(|_| stale.is_some());
        let limit = soft.unwrap_or(desk.waits.hard);
        if desk.table.is_apart(&key, now) {
            return Start::Alone(limit, self.alone(request));
        }
        match desk.sit(&key, now) {
            Seat::First(load) => match desk.find(&request, &key, now) {
                // Another load ended while this caller was on his way to the table.
                Some((entry, Condition::Fresh)) => {
                    drop(desk.ticket(load, key));
                    Start::Answer(entry)
                }
                _ => Start::First(limit, self.first(load, request, key)),
            },
            Seat::Next(load) if soft.is_some_and(|soft| now - load.fill.began >= soft) => {
                Start::Fail(Elapsed::new(limit).into())
            }
            Seat::Next(load) => {
                let (note, inner) = (desk.keeper.note(&request), self.inner.clone());
                Start::Next(limit, Next::new(desk, load), Again { note, inner, request })
            }
        }
    }

    /// Makes the call for whoever waits for this load.
    fn first<Request>(
        &mut self,
        load: Arc<Load<Q::Stored>>,
        request: Request,
        key: Q::Key,
    ) -> First<Q, C>
    where
        S: Service<Request, Response = Q::Response> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError> + Send + 'static,
        Request: Send + 'static,
        Q: Query<Request> + Shareable,
        C: Classify<Q::Response, S::Error> + Send + Sync + 'static,
    {
        let ticket = self.desk.ticket(load.clone(), key);
        let note = self.desk.keeper.note(&request);
        let call = match self.alone(request) {
            Alone::Called(future) => self.desk.call(future, ticket, note),
            Alone::Waiting(inner, request) => {
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
        S: Service<Request, Response = Q::Response> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError> + Send + 'static,
        Request: Send + 'static,
        Q: Query<Request> + Shareable,
        C: Classify<Q::Response, S::Error> + Send + Sync + 'static,
    {
        if entry.is_claimed()
            && let Seat::First(load) = self.desk.sit(&key, now)
        {
            load.go_on();
            drop(self.first(load, request, key));
        }
    }

    /// The instance that was polled is the one that is called.
    pub(super) fn alone<Request>(&mut self, request: Request) -> Alone<S, Request, S::Future>
    where
        S: Service<Request> + Clone,
    {
        if mem::take(&mut self.ready) {
            return Alone::Called(self.inner.call(request));
        }
        let clone = self.inner.clone();
        Alone::Waiting(mem::replace(&mut self.inner, clone), request)
    }
}

impl<Q, C> Desk<Q, C>
where
    Q: Keeper,
{
    /// What is kept and may answer this request.
    fn find<Request>(
        &self,
        request: &Request,
        key: &Q::Key,
        now: Moment,
    ) -> Option<(Arc<Entry<Q::Stored>>, Condition)>
    where
        Q: Query<Request>,
    {
        let kept = self.cache.shelf().find(key, now)?;
        self.keeper.admits(request, kept.0.found(now)).then_some(kept)
    }
}
