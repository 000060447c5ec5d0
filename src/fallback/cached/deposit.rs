use std::{fmt, hash::Hash, sync::Arc};

use super::{Cache, Terms, entry::Entry, shelf::Fill};

/// The place that waits for the copy of one response.
///
/// Hand the copy in by [`store`](Self::store), or [`refuse`](Self::refuse) it. Dropping it means
/// that the copy was lost on its way: the body was not read to its end, was too large, or broke.
#[must_use = "a deposit that is dropped keeps nothing"]
pub struct Deposit<K, V> {
    cache: Cache<K, V>,
    key: K,
    fill: Fill,
    is_kept: bool,
    report: Option<Box<dyn Report<V>>>,
}

/// Is told what became of a deposit.
pub(super) trait Report<V>: Send + Sync {
    /// The copy is complete. It may be shared also where it could not be kept.
    fn stored(self: Box<Self>, entry: Arc<Entry<V>>);
    /// The response is for its caller only.
    fn refused(self: Box<Self>);
    /// There is no copy.
    fn lost(self: Box<Self>);
}

impl<K, V> Deposit<K, V> {
    pub(super) fn new(cache: Cache<K, V>, key: K, fill: Fill) -> Self {
        Self { cache, key, fill, is_kept: true, report: None }
    }

    pub(super) fn reporting_to(mut self, report: Box<dyn Report<V>>) -> Self {
        self.report = Some(report);
        self
    }

    /// Of a response that goes to those who wait for it, but not into the cache.
    pub(super) fn passing_on(mut self) -> Self {
        self.is_kept = false;
        self
    }

    /// The key under which the copy will be found.
    #[must_use]
    pub const fn key(&self) -> &K {
        &self.key
    }

    /// Puts the copy under another key, because the response turned out to answer only some of the
    /// requests that have this one.
    ///
    /// An invalidation of that key, while the call runs, is not seen by callers who come to wait for
    /// the call: prefer tags for keys that responses tell.
    pub fn rekey(&mut self, key: K) {
        self.key = key;
    }

    /// Keeps the copy under these terms.
    ///
    /// Does nothing if it was invalidated since its call began, if a later call was faster, or if it
    /// is negative and there is still something better.
    pub fn store(mut self, stored: V, terms: Terms)
    where
        K: Clone + Eq + Hash,
    {
        let shelf = self.cache.shelf();
        let is_shared = self.report.is_some();
        let entry = shelf.entry(&self.key, stored, terms, self.fill, is_shared);
        if self.is_kept {
            shelf.put(self.key.clone(), &entry, self.fill);
        }
        if let Some(report) = self.report.take() {
            report.stored(entry);
        }
    }

    /// Says that this response is for its caller only.
    pub fn refuse(mut self) {
        if let Some(report) = self.report.take() {
            report.refused();
        }
    }
}

impl<K, V> Deposit<K, V>
where
    K: Clone + Eq + Hash,
{
    /// Refuses this response, and forgets what is kept under its key: the backend has taken that
    /// back, so that it may answer failed calls no more either.
    ///
    /// What a later call has brought stays. A call that began earlier and is not coalesced with this
    /// one may still bring its own answer.
    pub fn withdraw(self) {
        self.cache.shelf().forget_before(&self.key, self.fill);
        self.refuse();
    }
}

impl<K, V> Drop for Deposit<K, V> {
    fn drop(&mut self) {
        if let Some(report) = self.report.take() {
            report.lost();
        }
    }
}

impl<K, V> fmt::Debug for Deposit<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deposit").field("cache", &self.cache).finish_non_exhaustive()
    }
}
