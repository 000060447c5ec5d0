//! Says in a response where it came from.

#[expect(clippy::module_inception, reason = "a file is named after its type")]
mod annotate;
pub mod future;
mod layer;
mod status;

pub use self::{annotate::Annotate, layer::AnnotateLayer};
