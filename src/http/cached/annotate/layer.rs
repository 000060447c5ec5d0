use std::sync::Arc;

use tower_layer::Layer;

use super::{Annotate, status};

/// Says in each response what a fallback has served: by `Cache-Status` (RFC 9211) and by the
/// extension [`Staleness`](crate::http::cached::Staleness).
///
/// Stands right above a [`FallbackLayer`](crate::FallbackLayer) that was made with
/// [`served`](crate::FallbackLayer::served), and makes plain responses of what that responds with.
///
/// | answer | `Cache-Status` |
/// |---|---|
/// | a fresh page | `name; hit; ttl=37` |
/// | a stale page, because the call failed | `name; fwd=stale; ttl=-12; detail=stale` |
/// | by another strategy, because the call failed | `name; fwd=miss; detail=value` |
/// | of the origin, and it is kept | `name; fwd=miss; stored` |
/// | of the origin, for its caller only, or a failure | `name; fwd=miss` |
/// | of the origin, and the cache was not asked | `name; fwd=bypass` |
///
/// `detail` is the name of the strategy. What caches further away have said stays in front of it.
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::{Empty, Full};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
/// use tower_failover::{
///     BoxError, FallbackLayer,
///     fallback::cached::Cached,
///     http::cached::{AnnotateLayer, BodyLayer, Page, Pages},
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let cached = Cached::with(Page::cache("pages").spawn(), Pages::new());
/// let service = ServiceBuilder::new()
///     .layer(AnnotateLayer::new("front"))
///     .layer(FallbackLayer::new(cached).served())
///     .layer(BodyLayer::new())
///     .service_fn(async |_: Request<Empty<Bytes>>| {
///         Ok::<_, BoxError>(Response::new(Full::from("hello")))
///     });
/// let response = service.oneshot(Request::new(Empty::new())).await?;
/// assert_eq!(response.headers()["cache-status"], "front; fwd=miss; stored");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct AnnotateLayer {
    name: Arc<str>,
}

impl AnnotateLayer {
    /// Under this name: a token, as that of a host, or any text.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: status::item(name).into() }
    }
}

impl<S> Layer<S> for AnnotateLayer {
    type Service = Annotate<S>;

    fn layer(&self, inner: S) -> Annotate<S> {
        Annotate::new(inner, self.name.clone())
    }
}
