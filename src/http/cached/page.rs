use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderMap, Response, StatusCode, header::AGE};

use super::{Body, PageKey, Staleness, body::Copied, vary::Variation};
use crate::fallback::cached::{Cache, CacheBuilder, Found};

/// A response as it is kept: cheap to clone.
#[derive(Clone)]
pub struct Page(Arc<Whole>);

struct Whole {
    kept: Kept,
    copied: Copied,
}

/// A page without its body.
pub(super) struct Kept {
    pub(super) status: StatusCode,
    /// Without those that are for one connection, and with a place for `Age`.
    pub(super) headers: HeaderMap,
    pub(super) headers_bytes: usize,
    pub(super) variation: Variation,
    pub(super) fresh_for: Duration,
}

/// What the pages of a cache weigh together if nothing else is said.
const CAPACITY: u64 = 64 << 20;
/// A guess: what a header costs in its map.
const HEADER: usize = 112;

impl Page {
    pub(super) fn new(kept: Kept, copied: Copied) -> Self {
        Self(Arc::new(Whole { kept, copied }))
    }

    /// Sets up a cache of pages that weigh at most 64 MiB together.
    pub fn cache(name: &'static str) -> CacheBuilder<PageKey, Self> {
        Cache::builder(name).max_bytes(CAPACITY, Self::weigh)
    }

    /// The bytes that a page and its key have on the heap, for
    /// [`max_bytes`](CacheBuilder::max_bytes).
    #[must_use]
    pub fn weigh(key: &PageKey, page: &Self) -> usize {
        let Whole { kept, copied } = &*page.0;
        let head = kept.headers_bytes + kept.headers.capacity() * HEADER;
        let own = size_of::<Whole>() + head + kept.variation.bytes() + copied.len();
        // The tag of the target is about as long as the key.
        own + 2 * key.bytes()
    }

    /// Whether it may answer a request with these headers.
    pub(super) fn answers(&self, request: &HeaderMap) -> bool {
        self.0.kept.variation.matches(request)
    }

    pub(super) fn fresh_for(&self) -> Duration {
        self.0.kept.fresh_for
    }

    /// As HTTP/1.1, like a response that is made here: how the origin spoke is of no use to others.
    pub(super) fn restore<B>(found: Found<'_, Self>) -> Response<Body<B>> {
        let Whole { kept, copied } = &*found.stored().0;
        let age = found.age();
        let mut response = Response::new(Body::kept(copied));
        *response.status_mut() = kept.status;
        *response.headers_mut() = kept.headers.clone();
        response.headers_mut().insert(AGE, age.as_secs().into());
        response.extensions_mut().insert(Staleness::kept(found.is_fresh(), age, kept.fresh_for));
        response
    }
}

/// Says nothing of what could be secret.
impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("status", &self.0.kept.status)
            .field("fresh_for", &self.0.kept.fresh_for)
            .finish_non_exhaustive()
    }
}
