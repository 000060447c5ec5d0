use std::time::Duration;

use tower_layer::Layer;

use super::Budget;

/// Puts a [`Budget`] around a service.
#[derive(Clone, Copy, Debug)]
pub struct BudgetLayer {
    budget: Duration,
}

impl BudgetLayer {
    /// Gives each call this long, readiness included.
    #[must_use]
    pub const fn new(budget: Duration) -> Self {
        Self { budget }
    }
}

impl<S> Layer<S> for BudgetLayer {
    type Service = Budget<S>;

    fn layer(&self, inner: S) -> Budget<S> {
        Budget::new(inner, self.budget)
    }
}
