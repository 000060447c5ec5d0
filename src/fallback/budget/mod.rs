//! Gives a service a limited time for getting ready and answering together.
//!
//! A timeout counts from the call, so a service that is never ready hangs its callers for ever.
//! [`Budget`] is ready at once, and waits for its inner service inside the call, where the time
//! counts. [`FallbackLayer::inner_within`](super::FallbackLayer::inner_within) puts one under the
//! fallback; alone it turns "not ready" into an [`Elapsed`] error.

mod elapsed;
pub mod future;
mod layer;
mod service;

pub use self::{elapsed::Elapsed, layer::BudgetLayer, service::Budget};
