use std::{fmt, hash::Hash};

use super::{ByKey, ByRequest, Cache, CachedPlan, Keeper, Query, Terms};
use crate::{
    Ratio, clock,
    fallback::{Strategy, chain::combinators},
    logic::Condition,
};

/// Answers from a [`Cache`]: fresh answers without a call, stale ones when the call fails.
///
/// It learns from every answer of the service. To have one call for many callers who want the same,
/// and loads that go on in the background, put a [`CoalesceLayer`](super::CoalesceLayer) made from
/// it below the fallback.
///
/// Costs each call its key; one that has to be made also a reference count, and what the [`Keeper`]
/// remembers of the request.
///
/// ```
/// use std::time::Duration;
/// use tower_failover::fallback::{FallbackLayer, Value, cached::{Cache, Cached, Terms}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let cache = Cache::<u64, String>::builder("names").spawn();
/// let cached = Cached::new(cache.clone(), |id: &u64| Some(*id))
///     .terms(Terms::new().fresh_for(Duration::from_secs(5)));
/// let layer = FallbackLayer::new(cached.or(Value::with(|| String::from("somebody"))));
/// # let _: FallbackLayer<_> = layer;
/// # }
/// ```
pub struct Cached<Q>
where
    Q: Keeper,
{
    pub(super) cache: Cache<Q::Key, Q::Stored>,
    pub(super) keeper: Q,
    refresh_ahead: Option<Ratio>,
}

impl<F, K, T> Cached<ByKey<F, K, T>>
where
    K: Clone + Eq + Hash,
    T: Clone,
{
    /// Keeps clones of responses by this key. `None` means that a request has nothing to do with
    /// the cache.
    ///
    /// The key has to name everything that makes answers differ, the principal too.
    pub fn new<Request>(cache: Cache<K, T>, key: F) -> Self
    where
        F: Fn(&Request) -> Option<K>,
    {
        Self::with(cache, ByKey::new(key, Terms::new()))
    }

    /// Keeps all answers under these terms. Default: [`Terms::new`].
    #[must_use]
    pub fn terms(self, terms: Terms) -> Self {
        Self { keeper: self.keeper.with_terms(terms), ..self }
    }

    /// Keeps each answer under the terms that `judge` gives it, or not at all.
    ///
    /// Costs each call that has to be made a clone of its request.
    pub fn terms_by<G, Request>(self, judge: G) -> Cached<ByRequest<F, G, Request, K, T>>
    where
        G: Fn(&Request, &T) -> Option<Terms>,
    {
        let Self { cache, keeper, refresh_ahead } = self;
        Cached { cache, keeper: keeper.with_terms_by(judge), refresh_ahead }
    }
}

impl<Q> Cached<Q>
where
    Q: Keeper,
{
    /// Keeps answers as `keeper` says.
    pub const fn with(cache: Cache<Q::Key, Q::Stored>, keeper: Q) -> Self {
        Self { cache, keeper, refresh_ahead: None }
    }

    /// Has a newer answer loaded in the background once this part of the fresh time is over.
    /// Default: not before it is stale.
    ///
    /// The first caller after that gets the kept answer, and his request makes the call. Needs a
    /// [`CoalesceLayer`](super::CoalesceLayer) below: without one the call is not made.
    #[must_use]
    pub fn refresh_ahead(self, part: Ratio) -> Self {
        Self { refresh_ahead: Some(part), ..self }
    }

    /// The cache.
    pub const fn cache(&self) -> &Cache<Q::Key, Q::Stored> {
        &self.cache
    }

    combinators!();
}

impl<Q, Request> Strategy<Request> for Cached<Q>
where
    Q: Query<Request> + Clone,
{
    type Plan = CachedPlan<Q>;

    #[inline]
    fn plan(&self, request: &Request) -> CachedPlan<Q> {
        let (cache, keeper) = (&self.cache, &self.keeper);
        let Some(key) = keeper.key(request) else {
            return CachedPlan::without_key(cache, keeper, request);
        };
        let now = clock::now();
        if let Some((entry, Condition::Fresh)) = cache.shelf().find(&key, now)
            && keeper.admits(request, entry.found(now))
        {
            return CachedPlan::fresh(keeper, entry, now, self.refresh_ahead);
        }
        CachedPlan::open(cache, keeper, key, now, request)
    }
}

impl<Q> Clone for Cached<Q>
where
    Q: Keeper + Clone,
{
    fn clone(&self) -> Self {
        let refresh_ahead = self.refresh_ahead;
        Self { cache: self.cache.clone(), keeper: self.keeper.clone(), refresh_ahead }
    }
}

impl<Q> fmt::Debug for Cached<Q>
where
    Q: Keeper + fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached")
            .field("cache", &self.cache)
            .field("keeper", &self.keeper)
            .field("refresh_ahead", &self.refresh_ahead)
            .finish()
    }
}
