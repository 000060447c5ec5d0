use std::{error::Error, sync::Arc};

use super::{
    FailedResponse, SharedError,
    desk::Desk,
    load::{End, Load},
};
use crate::{
    BoxError, Outcome, clock,
    event::Event,
    fallback::cached::{Deposit, Keeper, deposit::Report, entry::Entry},
};

/// The duty to tell those who wait how a load ended. Dropping it tells them that it was lost.
pub(super) struct Ticket<Q, C>
where
    Q: Keeper,
{
    desk: Arc<Desk<Q, C>>,
    load: Arc<Load<Q::Stored>>,
    key: Option<Q::Key>,
}

impl<Q, C> Ticket<Q, C>
where
    Q: Keeper,
{
    pub(super) fn new(desk: Arc<Desk<Q, C>>, load: Arc<Load<Q::Stored>>, key: Q::Key) -> Self {
        Self { desk, load, key: Some(key) }
    }

    pub(super) fn key(&self) -> &Q::Key {
        self.key.as_ref().expect("taken only when it ends")
    }

    pub(super) const fn load(&self) -> &Arc<Load<Q::Stored>> {
        &self.load
    }

    /// The place for the copy of the response, which then has the duty.
    pub(super) fn deposit(self) -> Deposit<Q::Key, Q::Stored>
    where
        Self: Report<Q::Stored> + 'static,
    {
        let deposit = self.desk.cache.deposit(self.key().clone(), self.load.fill);
        deposit.reporting_to(Box::new(self))
    }

    /// The same for a response that is a failure.
    pub(super) fn deposit_failed(self) -> Deposit<Q::Key, Q::Stored>
    where
        Failing<Q, C>: Report<Q::Stored> + 'static,
    {
        self.source_failed(&FailedResponse);
        let deposit = self.desk.cache.deposit(self.key().clone(), self.load.fill);
        deposit.passing_on().reporting_to(Box::new(Failing(self)))
    }

    /// Tells those who wait that there is no answer, and, if the error is shared, why.
    pub(super) fn failed(
        self,
        outcome: Outcome,
        error: impl Into<BoxError>,
        is_shared: bool,
    ) -> SharedError {
        let error = SharedError::new(error.into());
        match outcome {
            Outcome::Failure => self.source_failed(error.get_ref()),
            Outcome::Success | Outcome::Ignored => {}
        }
        if !is_shared {
            self.end(End::Failed(SharedError::new(FailedResponse.into())));
            return error;
        }
        self.end(End::Failed(error.clone()));
        error
    }

    /// Leaves the source alone for a while, if something is kept that it failed to renew.
    fn source_failed(&self, error: &(dyn Error + Send + Sync + 'static)) {
        let (cache, now) = (&self.desk.cache, clock::now());
        if let Some((entry, _)) = cache.shelf().find(self.key(), now) {
            let backoff = &self.desk.waits.after_failure;
            let retry_after = entry.refresh_failed(backoff, now, fastrand::f64());
            let cache_name = cache.event_name();
            cache.observers().tell(&Event::RefreshFailed { cache: cache_name, error, retry_after });
        }
    }

    pub(super) fn end(mut self, end: End<Q::Stored>) {
        self.tell(end);
    }

    fn tell(&mut self, end: End<Q::Stored>) {
        let Some(key) = self.key.take() else { return };
        let Desk { cache, table, waits, .. } = &*self.desk;
        let is_refused = end.is_refused();
        // Somebody's time ran out on it, and nobody could go on with it. Of a source that has
        // answered it says nothing that a reader left.
        let has_answered = self.load.body_until().is_some();
        let is_given_up = end.is_lost() && self.load.goes_on() && !has_answered;
        // First, since all that follows runs the hash and the equality of the user's keys.
        self.load.end(end);
        table.remove(&key, &self.load);
        // Last, so that one who claims a refresh and finds this load in his way is not forgotten.
        if is_given_up {
            cache.shelf().refresh_failed(&key, &waits.after_failure);
        } else {
            cache.shelf().refresh_ended(&key);
        }
        if is_refused {
            table.keep_apart(key, clock::now() + waits.apart);
        }
    }
}

impl<Q, C> Report<Q::Stored> for Ticket<Q, C>
where
    Q: Keeper,
    Self: Send + Sync,
{
    fn stored(mut self: Box<Self>, entry: Arc<Entry<Q::Stored>>) {
        self.tell(End::Kept(entry));
    }

    fn refused(mut self: Box<Self>) {
        self.tell(End::Refused);
    }

    fn lost(mut self: Box<Self>) {
        self.tell(End::Lost);
    }
}

impl<Q, C> Drop for Ticket<Q, C>
where
    Q: Keeper,
{
    fn drop(&mut self) {
        self.tell(End::Lost);
    }
}

/// The ticket of a response that is a failure: shared if it can be, and never kept.
pub(super) struct Failing<Q, C>(Ticket<Q, C>)
where
    Q: Keeper;

impl<Q, C> Report<Q::Stored> for Failing<Q, C>
where
    Q: Keeper,
    Self: Send + Sync,
{
    fn stored(mut self: Box<Self>, entry: Arc<Entry<Q::Stored>>) {
        self.0.tell(End::Kept(entry));
    }

    fn refused(mut self: Box<Self>) {
        self.0.tell(End::Failed(SharedError::new(FailedResponse.into())));
    }

    fn lost(mut self: Box<Self>) {
        self.0.tell(End::Failed(SharedError::new(FailedResponse.into())));
    }
}
