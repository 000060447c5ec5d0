//! One call for all who want the same answer at the same time.
//!
//! # When to use it
//!
//! Below a fallback with [`Cached`](super::Cached), before anything that suffers when an entry that
//! many want comes to its end.
//!
//! # How it behaves
//!
//! The first caller of a key makes the call. Those who come while it runs wait for it, and cost no
//! polls. What they get:
//!
//! | the call | its caller gets | those who wait get |
//! |---|---|---|
//! | succeeds, and is kept | the response | the kept copy, if their own request permits it; else they make a call of their own |
//! | succeeds, for its caller only | the response | calls of their own, for 5 s without waiting for each other |
//! | fails | the error, as a [`SharedError`] | the same error; a [`FailedResponse`], in one too, if [errors are not shared](super::Keeper::shares_errors) |
//! | answers with a failure | the response | a copy, or [`FailedResponse`] if it cannot be shared |
//! | is lost: it panicked, or its body was not read to its end | what is left of it | one of them calls again |
//!
//! *Leaving.* When the caller who makes the call leaves, one who waits goes on with it: the backend
//! sees one call. When nobody is left it is dropped.
//!
//! *Time.* A caller who could have a stale answer waits for the
//! [soft timeout](CoalesceLayer::soft_timeout), everybody else for the
//! [hard one](CoalesceLayer::hard_timeout); then he gets an [`Elapsed`](crate::fallback::Elapsed),
//! which the fallback above answers with what is kept. The call goes on in the background for those
//! who come later, in one of the [places](super::CacheBuilder::background_loads) of the cache. Who
//! comes when it has been running for longer than the soft timeout does not wait at all. A call that
//! takes longer than its [own limit](CoalesceLayer::load_timeout) is dropped.
//!
//! *Slow readers.* A copy with a body is complete when the caller who made the call has read it. Those
//! who wait give him the [body timeout](CoalesceLayer::body_timeout) from the head on; then one of
//! them calls again, the others wait for that, and who has waited three times in vain makes a call of
//! his own. So one who does not read costs one more call. Nobody is kept apart for it: else one who
//! does not read could end the sharing for all. Whoever comes later than that joins a newer call.
//!
//! *Refresh ahead.* With [`refresh_ahead`](super::Cached::refresh_ahead) the first caller after that
//! part of the fresh time has a newer answer loaded in the background.
//!
//! *After a failure* to renew an answer that may still be used, the backend is left
//! [alone](CoalesceLayer::after_failed_refresh) for a while, per key: calls end in [`LeftAlone`],
//! which the fallback answers with what is kept.
//!
//! *Readiness.* It is always ready: who is answered from the cache, or waits for another, does not
//! need the inner service.

mod desk;
mod failed_response;
mod first;
pub mod future;
mod layer;
mod left_alone;
mod load;
mod next;
mod origin;
mod service;
mod shareable;
mod shared_error;
mod start;
mod table;
mod ticket;
mod waits;

pub use self::{
    failed_response::FailedResponse, layer::CoalesceLayer, left_alone::LeftAlone, origin::Origin,
    service::Coalesce, shareable::Shareable, shared_error::SharedError,
};
