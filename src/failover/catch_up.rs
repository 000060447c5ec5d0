use std::{pin::Pin, sync::Arc};

use crate::BoxError;

/// What brings a backend up to date.
pub(super) type CatchUp = Arc<dyn Fn() -> Running + Send + Sync>;

/// A catch-up that runs.
pub(super) type Running = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

pub(super) fn hook<F, Fut>(hook: F) -> CatchUp
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
{
    Arc::new(move || Box::pin(hook()))
}
