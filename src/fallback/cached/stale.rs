use std::{fmt, hash::Hash};

use super::{ByKey, ByRequest, Cache, CachedPlan, Keeper, Query, Terms};
use crate::{
    clock,
    fallback::{Strategy, chain::combinators},
};

/// Answers failed calls with the last good answer, as long as it may be used.
///
/// Every call is made. What it brings is kept, and answers the first call that fails. It reads and
/// fills the same [`Cache`] as [`Cached`](super::Cached).
///
/// Costs each call its key, a reference count, and what the [`Keeper`] remembers of the request;
/// each answer a clone and its place in the cache.
///
/// ```
/// use std::time::Duration;
/// use tower_failover::fallback::{FallbackLayer, cached::{Cache, Stale, Terms}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let cache = Cache::<u64, String>::builder("names").spawn();
/// let stale = Stale::new(cache.clone(), |id: &u64| Some(*id))
///     .terms(Terms::new().stale_for(Duration::from_secs(3600)));
/// let layer = FallbackLayer::new(stale);
/// # let _: FallbackLayer<_> = layer;
/// # }
/// ```
pub struct Stale<Q>
where
    Q: Keeper,
{
    cache: Cache<Q::Key, Q::Stored>,
    keeper: Q,
}

impl<F, K, T> Stale<ByKey<F, K, T>>
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
    /// Costs each call a clone of its request.
    pub fn terms_by<G, Request>(self, judge: G) -> Stale<ByRequest<F, G, Request, K, T>>
    where
        G: Fn(&Request, &T) -> Option<Terms>,
    {
        Stale { cache: self.cache, keeper: self.keeper.with_terms_by(judge) }
    }
}

impl<Q> Stale<Q>
where
    Q: Keeper,
{
    /// Keeps answers as `keeper` says.
    pub const fn with(cache: Cache<Q::Key, Q::Stored>, keeper: Q) -> Self {
        Self { cache, keeper }
    }

    /// The cache.
    pub const fn cache(&self) -> &Cache<Q::Key, Q::Stored> {
        &self.cache
    }

    combinators!();
}

impl<Q, Request> Strategy<Request> for Stale<Q>
where
    Q: Query<Request> + Clone,
{
    type Plan = CachedPlan<Q>;

    #[inline]
    fn plan(&self, request: &Request) -> CachedPlan<Q> {
        let (cache, keeper) = (&self.cache, &self.keeper);
        match keeper.key(request) {
            Some(key) => CachedPlan::open(cache, keeper, key, clock::now(), request),
            None => CachedPlan::without_key(cache, keeper, request),
        }
    }
}

impl<Q> Clone for Stale<Q>
where
    Q: Keeper + Clone,
{
    fn clone(&self) -> Self {
        Self { cache: self.cache.clone(), keeper: self.keeper.clone() }
    }
}

impl<Q> fmt::Debug for Stale<Q>
where
    Q: Keeper + fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stale").field("cache", &self.cache).field("keeper", &self.keeper).finish()
    }
}
