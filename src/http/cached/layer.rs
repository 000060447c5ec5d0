use std::{fmt, time::Duration};

use bytes::Bytes;
use http_body::Body;
use tower_layer::Layer;

use super::{Annotate, AnnotateLayer, BodyLayer, BodyService, Page, PageKey, Pages};
use crate::{
    Backoff, Ratio,
    event::{Name, Observer},
    fallback::{
        Fallback, FallbackLayer, Marked, Or,
        cached::{Cache, Cached, Coalesce, CoalesceLayer},
    },
    http::ServerErrors,
};

/// Puts a whole HTTP cache around a client or a server: fresh pages without a call, one call for
/// many callers, stale pages when the call fails, and all of it said in the responses.
///
/// It is made of layers that also stand alone, from the outside in:
///
/// | layer | does |
/// |---|---|
/// | [`AnnotateLayer`] | `Cache-Status` and [`Staleness`](super::Staleness) |
/// | [`FallbackLayer`] over [`Cached`] | answers from the cache, then by what [`or`](Self::or) adds |
/// | [`CoalesceLayer`] | one call for all who want the same page, and keeps its answer |
/// | [`BodyLayer`] | bodies that are copied while they are read |
///
/// Errors and 5xx are failures, by [`ServerErrors`], or by another classifier.
///
/// ```
/// use std::time::Duration;
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use tower::ServiceBuilder;
/// use tower_failover::{
///     circuit_breaker::{Circuit, CircuitBreakerLayer},
///     http::cached::{CacheLayer, Page, Pages},
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let pages = Page::cache("pages").spawn();
/// let client = Client::builder(TokioExecutor::new()).build_http::<String>();
/// let service = ServiceBuilder::new()
///     .layer(CacheLayer::new(pages, Pages::new()).soft_timeout(Duration::from_millis(100)))
///     .layer(CircuitBreakerLayer::for_http(Circuit::new("origin")))
///     .timeout(Duration::from_secs(2))
///     .service(client);
/// # let _ = tower::ServiceExt::<http::Request<String>>::map_response(service, |_| ());
/// # }
/// ```
pub struct CacheLayer<B, F = Cached<Pages<B>>, C = ServerErrors>
where
    B: Body<Data = Bytes> + Send + 'static,
{
    annotate: AnnotateLayer,
    fallback: FallbackLayer<F, C, Marked>,
    coalesce: CoalesceLayer<Pages<B>, C>,
}

impl<B> CacheLayer<B>
where
    B: Body<Data = Bytes> + Send + 'static,
{
    /// Keeps pages in this cache, whose name the responses tell, as `pages` says.
    #[must_use]
    pub fn new(cache: Cache<PageKey, Page>, pages: Pages<B>) -> Self {
        let annotate = AnnotateLayer::new(cache.name());
        let cached = Cached::with(cache, pages);
        Self {
            annotate,
            fallback: FallbackLayer::new(cached.clone()).classify(ServerErrors::new()).served(),
            coalesce: CoalesceLayer::new(cached).classify(ServerErrors::new()),
        }
    }

    /// Has a newer page loaded in the background once this part of the fresh time is over:
    /// [`Cached::refresh_ahead`].
    #[must_use]
    pub fn refresh_ahead(self, part: Ratio) -> Self {
        let fallback = self.fallback.map_strategy(|cached| cached.refresh_ahead(part));
        Self { fallback, ..self }
    }
}

impl<B, F, C> CacheLayer<B, F, C>
where
    B: Body<Data = Bytes> + Send + 'static,
{
    /// Asks `next` when a call failed and nothing is kept that may answer it. Responses of the
    /// cache have the body [`http::cached::Body`](super::Body).
    pub fn or<N>(self, next: N) -> CacheLayer<B, Or<F, N>, C> {
        let Self { annotate, fallback, coalesce } = self;
        CacheLayer { annotate, fallback: fallback.or(next), coalesce }
    }

    /// Tells failures from successes by this classifier. Default: [`ServerErrors`].
    pub fn classify<D: Clone>(self, classifier: D) -> CacheLayer<B, F, D> {
        let Self { annotate, fallback, coalesce } = self;
        let fallback = fallback.map(|_| classifier.clone(), |below| below);
        CacheLayer { annotate, fallback, coalesce: coalesce.classify(classifier) }
    }

    /// Lets a caller wait this long who could have a stale page:
    /// [`CoalesceLayer::soft_timeout`].
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[must_use]
    pub fn soft_timeout(self, limit: Duration) -> Self {
        self.coalesce(|coalesce| coalesce.soft_timeout(limit))
    }

    /// Lets a caller wait this long at most: [`CoalesceLayer::hard_timeout`].
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[must_use]
    pub fn hard_timeout(self, limit: Duration) -> Self {
        self.coalesce(|coalesce| coalesce.hard_timeout(limit))
    }

    /// Gives a call this long, whoever waits for it: [`CoalesceLayer::load_timeout`].
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[must_use]
    pub fn load_timeout(self, limit: Duration) -> Self {
        self.coalesce(|coalesce| coalesce.load_timeout(limit))
    }

    /// Has callers wait this long for the body of another's page, once its head is there:
    /// [`CoalesceLayer::body_timeout`].
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[must_use]
    pub fn body_timeout(self, limit: Duration) -> Self {
        self.coalesce(|coalesce| coalesce.body_timeout(limit))
    }

    /// Leaves the origin of a page alone for a while after it failed to renew it:
    /// [`CoalesceLayer::after_failed_refresh`].
    #[must_use]
    pub fn after_failed_refresh(self, backoff: Backoff) -> Self {
        self.coalesce(|coalesce| coalesce.after_failed_refresh(backoff))
    }

    /// Names the fallback in events. Default: `fallback`.
    #[must_use]
    pub fn named(self, name: impl Into<Name>) -> Self {
        Self { fallback: self.fallback.named(name), ..self }
    }

    /// Tells this observer about answers of the fallback and about its failures.
    #[must_use]
    pub fn observe(self, observer: impl Observer + 'static) -> Self {
        Self { fallback: self.fallback.observe(observer), ..self }
    }

    fn coalesce(
        self,
        change: impl FnOnce(CoalesceLayer<Pages<B>, C>) -> CoalesceLayer<Pages<B>, C>,
    ) -> Self {
        Self { coalesce: change(self.coalesce), ..self }
    }
}

impl<S, B, F, C> Layer<S> for CacheLayer<B, F, C>
where
    B: Body<Data = Bytes> + Send + 'static,
    F: Clone,
    C: Clone,
{
    type Service = Annotate<Fallback<Coalesce<BodyService<S>, Pages<B>, C>, F, C, Marked>>;

    fn layer(&self, inner: S) -> Self::Service {
        let coalesced = self.coalesce.layer(BodyLayer::new().layer(inner));
        self.annotate.layer(self.fallback.layer(coalesced))
    }
}

impl<B, F, C> Clone for CacheLayer<B, F, C>
where
    B: Body<Data = Bytes> + Send + 'static,
    F: Clone,
    C: Clone,
{
    fn clone(&self) -> Self {
        Self {
            annotate: self.annotate.clone(),
            fallback: self.fallback.clone(),
            coalesce: self.coalesce.clone(),
        }
    }
}

impl<B, F, C> fmt::Debug for CacheLayer<B, F, C>
where
    B: Body<Data = Bytes> + Send + 'static,
    F: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheLayer")
            .field("annotate", &self.annotate)
            .field("fallback", &self.fallback)
            .field("coalesce", &self.coalesce)
            .finish()
    }
}
