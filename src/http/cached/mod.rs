//! Pages that are kept: what of HTTP may be, for whom, and for how long.
//!
//! # When to use it
//!
//! In front of an origin whose pages are the same for many, or for each user for a while: around an
//! HTTP client, or on the routes of a server. Not as a browser's cache: nothing is validated, and
//! no page that is `private` is kept.
//!
//! # Example
//!
//! [`CacheLayer`] is the whole. Its parts also stand alone:
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Empty, Full};
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_failover::{
//!     BoxError, FallbackLayer,
//!     fallback::{Source, cached::Cached},
//!     http::cached::{BodyLayer, Page, Pages},
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let cached = Cached::with(Page::cache("pages").spawn(), Pages::new());
//! let service = ServiceBuilder::new()
//!     .layer(FallbackLayer::new(cached).served())
//!     .layer(BodyLayer::new())
//!     .service_fn(async |_: Request<Empty<Bytes>>| {
//!         let page = Response::builder().header("cache-control", "max-age=60, stale-if-error=600");
//!         Ok::<_, BoxError>(page.body(Full::from("hello"))?)
//!     });
//!
//! let first = service.clone().oneshot(Request::new(Empty::new())).await?;
//! first.into_inner().into_body().collect().await?;
//! let second = service.oneshot(Request::new(Empty::new())).await?;
//! assert!(matches!(second.source(), Source::Cache { .. }));
//! # Ok(())
//! # }
//! ```
//!
//! # Whose pages
//!
//! | scope | who shares |
//! |---|---|
//! | default | callers without `Authorization`, `Proxy-Authorization` and `Cookie`; all others pass by |
//! | [`principal`](Pages::principal) | the callers of one principal; those whose principal is not known as above |
//! | [`public`](Pages::public) | everybody |
//!
//! A caller may be known by something else: a client certificate, an API key in a header of its
//! own, an extension that a layer set. Where answers differ by it, name it as the principal, or let
//! the responses name the header in `Vary`. Errors of such callers are shared too, by those who wait
//! for one call.
//!
//! # Which requests
//!
//! `GET` and `HEAD`, kept apart. A request passes by (it is not answered by a page, not even a stale
//! one, and its answer is not kept) if it has a body, a `Range`, a condition (`If-…`), an `Upgrade`,
//! `no-store` or `no-cache`, more than one `Host`, or more than 8 KiB of what makes up its key: the
//! scheme, the authority, the `Host`, the path with its query, the principal, and the headers that
//! the responses name in `Vary`, with all their values.
//!
//! The path is that which the layer sees: what `Router::nest` took off is no part of it. One cache
//! and one [`Pages`] belong to one origin.
//!
//! A request that passes by has no stale page either when its call fails: a browser that comes back
//! with `If-None-Match` gets the failure. `only-if-cached` is passed on, and the origin is asked.
//!
//! Everything that answers depend on has to be in the key or in `Vary`. An origin that builds links
//! from `X-Forwarded-Host`, say, and does not name it there, lets one caller choose what all others
//! are shown: strip such headers above the cache.
//!
//! `max-age` and `min-fresh` of a request say what may answer it without a call. When its call
//! fails they do not count (RFC 5861, section 4), but `max-stale` and `stale-if-error` do.
//!
//! # Which responses
//!
//! A response is for its caller only if it is no complete answer with a status that
//! http-cache-semantics knows, is a 5xx, sets a cookie, says `private` (also with names of
//! headers), `no-store` or `no-cache`, varies by `*` or by more than 16 headers, has longer headers
//! than the [limit](Pages::head_limit), or was made up by a fallback below. Also if it
//! answers an `Authorization` under a key that others share, unless it says `public` or `s-maxage`;
//! `must-revalidate` alone, which RFC 9111 would let pass, is not taken for leave to share.
//! Where headers cannot be read, they forbid.
//!
//! Nor is a page kept with `Set-Cookie`, `Cache-Control`, `Vary` or what is for one connection among
//! its trailers, or one that was past its end when its last byte came.
//!
//! What a page has of headers are copies, without those of one connection. It is handed out as
//! HTTP/1.1.
//!
//! Only a whole body is kept, so its end has to be told from a cut. One of HTTP/1.0, or of HTTP/1.1
//! with `Connection: close`, is not kept unless it has a `Content-Length`, is chunked or knows its
//! length; one of HTTP/2 is not unless it says that it has ended (`is_end_stream`), has trailers, or
//! is as long as declared, since hyper gives a stream that was reset without an error for a whole
//! one. A layer that decompresses over HTTP/2 may hide the end: put it above the cache. A body that a
//! service in this process streams (as HTTP/1.1, the version that responses are made with) is whole
//! when it ends without an error. So is one of an HTTP/1.1 origin that ends it by closing the
//! connection and does not say `Connection: close`, as it should.
//!
//! What is refused is also taken back: an answer other than a failure by which the origin forbids to
//! keep a page (`private`, `no-store`, `Set-Cookie`, a 401, a 403, …) removes the one that was kept
//! under the same key, so that it is not served stale later. A 404, 405, 410 or 414 that does not
//! say for how long never takes the place of a page that can still be used.
//!
//! # For how long
//!
//! | fresh for | stale for, when calls fail |
//! |---|---|
//! | `s-maxage` | never |
//! | else `max-age`, else `Expires` less `Date`, else [`fresh_for`](Pages::fresh_for), which is 0 | `stale-if-error`, else [`stale_for`](Pages::stale_for) |
//! | the same with `must-revalidate` or `proxy-revalidate` | never |
//!
//! There are no heuristics, and no jitter. The [longest](Pages::longest_fresh_for)
//! [times](Pages::longest_stale_for) hold whatever the origin says. Of several times the shortest
//! counts, and one that cannot be read is 0. Age counts from what `Age` or `Date` says, whichever is
//! more, so the clocks of origin and cache have to agree, and from the beginning of the call.
//!
//! # When pages are forgotten
//!
//! When a request that is not safe (`POST`, `PUT`, …) is answered by a 2xx or 3xx, all pages of its
//! target are, of all principals and over all protocols: RFC 9111, section 4.4. This looks at every entry of the cache.
//! Else by [tag](Pages::tags_from), by [target](Pages::tag_of), or as
//! [`Cache`](crate::fallback::cached::Cache) allows.
//!
//! # What it says
//!
//! A page has `Age`, and the extension [`Staleness`]; `Cache-Status` comes from an
//! [`AnnotateLayer`]. Nothing prints keys, headers or bodies.
//!
//! # Where it stands
//!
//! Outside of the circuit breaker, so that its refusals are answered by stale pages; inside of what
//! finds out who the caller is.

pub mod annotate;
mod asked;
pub mod body;
mod directives;
mod forwarded;
mod head;
mod headers;
mod keeping;
mod key;
mod layer;
mod note;
mod page;
mod pages;
mod rules;
mod scope;
mod settings;
mod staleness;
mod vary;
mod verdict;

pub use self::{
    annotate::{Annotate, AnnotateLayer},
    body::{Body, BodyLayer, BodyService},
    head::Head,
    key::PageKey,
    layer::CacheLayer,
    note::Note,
    page::Page,
    pages::Pages,
    staleness::Staleness,
};
