use std::{fmt, future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use futures_util::future::BoxFuture;
use tokio::time::timeout;
use tower_service::Service;

use super::{
    Shareable, SharedError,
    load::{End, Load, Work},
    table::{Seat, Table},
    ticket::Ticket,
    waits::Waits,
};
use crate::{
    BoxError, Classify, Outcome, clock,
    fallback::{
        Elapsed,
        cached::{Cache, Keeper},
    },
    logic::Moment,
};

/// What all the callers of one layer share.
pub(super) struct Desk<Q, C>
where
    Q: Keeper,
{
    pub(super) cache: Cache<Q::Key, Q::Stored>,
    pub(super) keeper: Q,
    pub(super) classifier: C,
    pub(super) waits: Waits,
    pub(super) table: Arc<Table<Q::Key, Q::Stored>>,
}

/// The call of a load, until its response is there.
pub(super) type Call<T> = BoxFuture<'static, Result<T, SharedError>>;

impl<Q, C> Desk<Q, C>
where
    Q: Shareable,
    C: Send + Sync + 'static,
{
    /// Makes the call of a load, keeps its answer, and tells those who wait.
    pub(super) fn call<E>(
        self: &Arc<Self>,
        result: impl Future<Output = Result<Q::Response, E>> + Send + 'static,
        ticket: Ticket<Q, C>,
        note: Q::Note,
    ) -> Call<Q::Response>
    where
        C: Classify<Q::Response, E>,
        E: Into<BoxError> + Send + 'static,
    {
        let desk = self.clone();
        Box::pin(async move {
            let limit = desk.waits.load;
            let Some(result) = within(limit, result).await else {
                return Err(ticket.failed(Outcome::Failure, Elapsed::new(limit), true));
            };
            match (desk.classifier.classify(&result), result) {
                (outcome, Err(error)) => {
                    let is_shared = desk.keeper.shares_errors(&note);
                    Err(ticket.failed(outcome, error, is_shared))
                }
                (Outcome::Success, Ok(mut response)) => {
                    let load = ticket.load().clone();
                    desk.keeper.keep(note, &mut response, ticket.deposit());
                    desk.head_came(&load);
                    Ok(response)
                }
                (Outcome::Failure, Ok(mut response)) => {
                    let load = ticket.load().clone();
                    desk.keeper.keep(note, &mut response, ticket.deposit_failed());
                    desk.head_came(&load);
                    Ok(response)
                }
                (Outcome::Ignored, Ok(response)) => {
                    ticket.end(End::Refused);
                    Ok(response)
                }
            }
        })
    }

    /// The rest of a load whose first caller has left: its response is for those who wait.
    pub(super) fn rest(self: &Arc<Self>, call: Call<Q::Response>) -> Work {
        let desk = self.clone();
        Box::pin(async move {
            if let Ok(response) = call.await {
                within(desk.waits.load, desk.keeper.finish(response)).await;
            }
        })
    }
}

impl<Q, C> Desk<Q, C>
where
    Q: Keeper,
{
    pub(super) fn ticket(
        self: &Arc<Self>,
        load: Arc<Load<Q::Stored>>,
        key: Q::Key,
    ) -> Ticket<Q, C> {
        Ticket::new(self.clone(), load, key)
    }

    /// The place of a caller in the load of his key.
    pub(super) fn sit(&self, key: &Q::Key, now: Moment, is_covered: bool) -> Seat<Q::Stored> {
        self.table.sit(key, self.cache.shelf(), now, self.waits.load, is_covered)
    }

    /// The copy of the response may come with the end of its body, and not soon.
    fn head_came(&self, load: &Load<Q::Stored>) {
        if !load.is_over() {
            load.head_came(clock::now() + self.waits.body);
        }
    }

    /// Finds somebody who goes on with a load: the background, if it is to go on in any case, else
    /// one of those who wait. If there is nobody it is dropped.
    pub(super) fn pass_on(&self, load: &Load<Q::Stored>, work: Work) {
        // Asked again, since the last of those who wait may have wished it just now, and left.
        let work = self.in_background(load, work).and_then(|work| load.hand_over(work));
        drop(work.and_then(|work| self.in_background(load, work)));
    }

    fn in_background(&self, load: &Load<Q::Stored>, work: Work) -> Option<Work> {
        if load.goes_on() { self.cache.jobs().start(work).err() } else { Some(work) }
    }
}

impl<Q, C> fmt::Debug for Desk<Q, C>
where
    Q: Keeper,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("cache", &self.cache)
            .field("waits", &self.waits)
            .field("loads", &self.table.len())
            .finish_non_exhaustive()
    }
}

/// A call that waits until this instance of the service is ready.
pub(super) async fn when_ready<S, Request>(
    mut service: S,
    request: Request,
) -> Result<S::Response, S::Error>
where
    S: Service<Request>,
{
    poll_fn(|cx| service.poll_ready(cx)).await?;
    service.call(request).await
}

/// What is there at once needs no timer.
async fn within<F>(limit: Duration, future: F) -> Option<F::Output>
where
    F: Future,
{
    let mut future = pin!(future);
    match poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
        Poll::Ready(output) => Some(output),
        Poll::Pending => timeout(limit, future).await.ok(),
    }
}
