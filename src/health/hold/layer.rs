use std::{sync::Arc, time::Duration};

use tower_layer::Layer;

use super::{Hold, places::Places};
use crate::health::HealthGateLayer;

/// Puts a [`Hold`] over a [gate](crate::health::HealthGate).
///
/// Made by [`HealthGateLayer::hold_for`].
#[derive(Clone, Debug)]
pub struct HoldLayer {
    gate: HealthGateLayer,
    limit: Duration,
    places: Arc<Places>,
}

impl HoldLayer {
    pub(in crate::health) fn new(gate: HealthGateLayer, limit: Duration, at_most: usize) -> Self {
        Self { gate, limit, places: Arc::new(Places::new(at_most)) }
    }
}

impl<S> Layer<S> for HoldLayer {
    type Service = Hold<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Hold::new(self.gate.layer(inner), self.limit, self.places.clone())
    }
}
