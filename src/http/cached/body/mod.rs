//! Bodies that are copied while they are read.

#[expect(clippy::module_inception, reason = "a file is named after its type")]
mod body;
mod copied;
mod copying;
mod framing;
pub mod future;
mod layer;
mod service;

pub use self::{body::Body, layer::BodyLayer, service::BodyService};
pub(crate) use self::{copied::Copied, copying::TooLarge, framing::Framing};
