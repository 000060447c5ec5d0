//! Answers from a bounded cache: fresh ones without a call, stale ones when the call fails.
//!
//! # When to use it
//!
//! Where an old answer beats none, and a known one beats a call: prices, profiles, pages, flags.
//! Not for what has to be true now, and not for what differs by more than its key says.
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//! use tower::{Service, ServiceBuilder, ServiceExt};
//! use tower_failover::{
//!     BoxError,
//!     fallback::{
//!         FallbackLayer, Source,
//!         cached::{Cache, Cached, CoalesceLayer, Terms},
//!     },
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let cache = Cache::builder("prices").max_entries(1_000).spawn();
//! let cached = Cached::new(cache.clone(), |item: &u64| Some(*item)).terms(
//!     Terms::new()
//!         .fresh_for(Duration::from_secs(5))
//!         .stale_for(Duration::from_secs(3600)),
//! );
//! let mut service = ServiceBuilder::new()
//!     .layer(FallbackLayer::new(cached.clone()).served())
//!     .layer(CoalesceLayer::new(cached).soft_timeout(Duration::from_millis(50)))
//!     .service_fn(async |item: u64| Ok::<_, BoxError>(item * 100));
//!
//! assert_eq!(service.ready().await?.call(7).await?.source(), Source::Primary);
//! let served = service.ready().await?.call(7).await?;
//! assert!(matches!(served.source(), Source::Cache { .. }));
//! assert_eq!(served.into_inner(), 700);
//!
//! cache.invalidate(&7);
//! assert_eq!(service.ready().await?.call(7).await?.source(), Source::Primary);
//! # Ok(())
//! # }
//! ```
//!
//! # How it behaves
//!
//! A [`Cache`] is made before the layers and shared by all that use it. Two strategies read and fill
//! it:
//!
//! | strategy | an entry is fresh | an entry is stale | nothing is kept |
//! |---|---|---|---|
//! | [`Cached`] | answers, no call is made | answers if the call fails | the call's result |
//! | [`Stale`] | answers if the call fails | answers if the call fails | the call's result |
//!
//! *Limits.* [`Terms`] hold for one entry: fresh for a time, then stale for a time, then gone, also
//! in an outage without end. They are the same for all entries, or made by a
//! [function](Cached::terms_by) of request and response. Only a success is kept. A *negative* entry,
//! which says that there is nothing, never replaces a positive one that can still be used.
//!
//! *Size.* The cache is bounded, by entries or by [bytes](CacheBuilder::max_bytes); what is used least
//! makes room (the S3-FIFO-like policy of the crate `quick_cache`). What is past its end is never
//! served, and swept every now and then.
//!
//! *Invalidation* by key, by tag, by a function, or of all. An answer whose call began before an
//! invalidation is not kept after it. Nor does it replace the answer of a call that began later.
//!
//! *Whose answer?* Whoever has the key gets the answer. The key has to name the principal, if
//! answers differ by him. For HTTP, where that is written in headers, there are ready-made rules in
//! `http::cached`.
//!
//! *Other responses.* [`Keeper`] says how a response becomes what is kept, and back: [`ByKey`] and
//! [`ByRequest`] clone it. [`Query`] is its half that knows requests.
//!
//! # Together
//!
//! A [`CoalesceLayer`] below the fallback makes one call for all who want the same answer at the
//! same time: see [`coalesce`].
//!
//! # What it tells observers
//!
//! The fallback tells [`FellBack`](crate::event::Event::FellBack) when a kept answer stood in for a
//! failed call; fresh answers make no event. The observers of the cache are told
//! [`RefreshFailed`](crate::event::Event::RefreshFailed).
//!
//! # Where it stands
//!
//! ```text
//! total deadline → fallback (Cached) → Coalesce → circuit breaker → attempt timeout → client
//! ```

mod builder;
mod by_key;
mod by_request;
mod cache;
#[expect(clippy::module_inception, reason = "a file is named after its type")]
mod cached;
pub mod coalesce;
mod deposit;
mod entry;
mod found;
mod invalidations;
mod keeper;
mod plan;
mod shelf;
mod stale;
mod terms;
mod upkeep;

pub use self::{
    builder::CacheBuilder,
    by_key::ByKey,
    by_request::ByRequest,
    cache::Cache,
    cached::Cached,
    coalesce::{
        Coalesce, CoalesceLayer, FailedResponse, LeftAlone, Origin, Shareable, SharedError,
    },
    deposit::Deposit,
    found::Found,
    keeper::{Keeper, Query},
    plan::CachedPlan,
    stale::Stale,
    terms::Terms,
    upkeep::Upkeep,
};
