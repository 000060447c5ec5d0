use std::{any::type_name, fmt, sync::Arc, time::Duration};

use tower_layer::Layer;

use super::{Coalesce, desk::Desk, table::Table, waits::Waits};
use crate::{
    Backoff, ErrorsAreFailures,
    fallback::cached::{Cache, Cached, Keeper},
};

/// Puts a [`Coalesce`] around a service; see the [module](super) for how it behaves.
///
/// The layer holds what its callers share, so it works under `axum::Router::layer`, which applies
/// its layers many times.
///
/// | setting | default |
/// |---|---|
/// | [`classify`](Self::classify) | every error is a failure |
/// | [`soft_timeout`](Self::soft_timeout) | 1 s |
/// | [`hard_timeout`](Self::hard_timeout) | 10 s |
/// | [`load_timeout`](Self::load_timeout) | 30 s |
/// | [`body_timeout`](Self::body_timeout) | 1 s |
/// | [`after_failed_refresh`](Self::after_failed_refresh) | 1 s, doubling to 30 s, less up to half |
pub struct CoalesceLayer<Q, C = ErrorsAreFailures>
where
    Q: Keeper,
{
    cache: Cache<Q::Key, Q::Stored>,
    keeper: Q,
    classifier: C,
    waits: Waits,
    table: Arc<Table<Q::Key, Q::Stored>>,
}

impl<Q> CoalesceLayer<Q>
where
    Q: Keeper,
{
    /// Shares the calls for what this strategy keeps.
    pub fn new(cached: Cached<Q>) -> Self {
        let Cached { cache, keeper, .. } = cached;
        let table = Arc::new(Table::new());
        Self { cache, keeper, classifier: ErrorsAreFailures, waits: Waits::DEFAULT, table }
    }
}

impl<Q, C> CoalesceLayer<Q, C>
where
    Q: Keeper,
{
    /// Tells failures from successes by this classifier, which has to be the one of the fallback
    /// above: what it calls a success is kept, also in place of what the fallback would serve.
    ///
    /// A failure leaves the source alone for a while.
    pub fn classify<D>(self, classifier: D) -> CoalesceLayer<Q, D> {
        let Self { cache, keeper, classifier: _, waits, table } = self;
        CoalesceLayer { cache, keeper, classifier, waits, table }
    }

    /// Lets a caller wait this long who could have a stale answer; then he gets it, and the call
    /// goes on in the background.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[must_use]
    pub fn soft_timeout(mut self, limit: Duration) -> Self {
        assert!(!limit.is_zero(), "a soft timeout is above zero");
        self.waits.soft = Some(limit);
        self
    }

    /// Lets a caller wait this long at most; the call goes on in the background.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[must_use]
    pub fn hard_timeout(mut self, limit: Duration) -> Self {
        assert!(!limit.is_zero(), "a hard timeout is above zero");
        self.waits.hard = limit;
        self
    }

    /// Gives a call this long, whoever waits for it; then it is dropped, and is a failure.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[must_use]
    pub fn load_timeout(mut self, limit: Duration) -> Self {
        assert!(!limit.is_zero(), "a load timeout is above zero");
        self.waits.load = limit;
        self
    }

    /// Has callers wait this long for the body of another's response, once its head is there; then
    /// they make a call of their own.
    ///
    /// Copies of responses with bodies come when their first caller has read them, and he may be
    /// slow. Who could have a stale answer, and waits for the [soft timeout](Self::soft_timeout),
    /// waits for that.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[must_use]
    pub fn body_timeout(mut self, limit: Duration) -> Self {
        assert!(!limit.is_zero(), "a body timeout is above zero");
        self.waits.body = limit;
        self
    }

    /// Leaves the source of an answer alone for this long after the first, second, third … failure
    /// in a row to renew it, as long as the kept answer may be used.
    #[must_use]
    pub fn after_failed_refresh(mut self, backoff: Backoff) -> Self {
        self.waits.after_failure = backoff;
        self
    }
}

impl<S, Q, C> Layer<S> for CoalesceLayer<Q, C>
where
    Q: Keeper + Clone,
    C: Clone,
{
    type Service = Coalesce<S, Q, C>;

    fn layer(&self, inner: S) -> Self::Service {
        let Self { cache, keeper, classifier, waits, table } = self.clone();
        Coalesce::new(inner, Arc::new(Desk { cache, keeper, classifier, waits, table }))
    }
}

impl<Q, C> Clone for CoalesceLayer<Q, C>
where
    Q: Keeper + Clone,
    C: Clone,
{
    fn clone(&self) -> Self {
        Self {
            cache: self.cache.clone(),
            keeper: self.keeper.clone(),
            classifier: self.classifier.clone(),
            waits: self.waits,
            table: self.table.clone(),
        }
    }
}

impl<Q, C> fmt::Debug for CoalesceLayer<Q, C>
where
    Q: Keeper + fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CoalesceLayer")
            .field("cache", &self.cache)
            .field("keeper", &self.keeper)
            .field("classifier", &format_args!("{}", type_name::<C>()))
            .field("waits", &self.waits)
            .finish_non_exhaustive()
    }
}
