use tower_layer::Layer;

use super::{AtHead, Gate};

/// Applies a [`Gate`].
#[derive(Clone, Copy, Debug)]
pub struct GateLayer<G, J = AtHead> {
    guard: G,
    settle: J,
}

impl<G> GateLayer<G> {
    /// Asks this guard; every error is a failure.
    #[must_use]
    pub const fn new(guard: G) -> Self {
        Self { guard, settle: AtHead::new(crate::ErrorsAreFailures) }
    }
}

impl<G, J> GateLayer<G, J> {
    /// Tells failures from successes by this classifier, when the inner future is done.
    #[must_use]
    pub fn classify<C>(self, classifier: C) -> GateLayer<G, AtHead<C>> {
        self.settle(AtHead::new(classifier))
    }

    /// Settles in this way.
    #[must_use]
    pub fn settle<K>(self, settle: K) -> GateLayer<G, K> {
        GateLayer { guard: self.guard, settle }
    }

    /// The guard.
    #[must_use]
    pub const fn guard(&self) -> &G {
        &self.guard
    }
}

impl<S, G, J> Layer<S> for GateLayer<G, J>
where
    G: Clone,
    J: Clone,
{
    type Service = Gate<S, G, J>;

    fn layer(&self, inner: S) -> Self::Service {
        Gate::new(inner, self.guard.clone()).settle(self.settle.clone())
    }
}
