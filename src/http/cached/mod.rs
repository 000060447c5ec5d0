//! Responses that go through a cache.

#[cfg_attr(not(test), expect(dead_code, reason = "the cache will use it"))]
mod body;
mod body_layer;
mod body_service;
#[cfg_attr(not(test), expect(dead_code, reason = "the cache will use it"))]
mod copied;
mod copying;
pub mod future;

pub(crate) use self::copied::Copied;
pub use self::{body::Body, body_layer::BodyLayer, body_service::BodyService};
