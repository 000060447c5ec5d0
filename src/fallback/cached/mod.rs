//! Answers from a bounded cache: fresh ones without a call, stale ones when the call fails.

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
mod keeper;
mod log;
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
    coalesce::{Coalesce, CoalesceLayer, FailedResponse, LeftAlone, Shareable, SharedError},
    deposit::Deposit,
    found::Found,
    keeper::{Keeper, Query},
    plan::CachedPlan,
    stale::Stale,
    terms::Terms,
    upkeep::Upkeep,
};
