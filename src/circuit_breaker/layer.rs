use tower_layer::Layer;

use super::{Circuit, Circuits, Keyed};
use crate::gate::{AtHead, Gate, GateLayer};

/// A service behind a circuit: a [`Gate`] whose guard is a [`Circuit`].
pub type CircuitBreaker<S, G = Circuit, J = AtHead> = Gate<S, G, J>;

/// Puts a [`Circuit`] before a service.
///
/// The circuit is made before the layer and shared by all that the layer makes, so it works under
/// `axum::Router::layer`, which applies its layers many times.
///
/// ```
/// use tower::ServiceBuilder;
/// use tower_failover::circuit_breaker::{Circuit, CircuitBreakerLayer};
///
/// let circuit = Circuit::new("inventory");
/// let service = ServiceBuilder::new()
///     .layer(CircuitBreakerLayer::new(circuit.clone()))
///     .service_fn(async |item: u64| Ok::<_, std::io::Error>(item));
/// # let _ = service;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct CircuitBreakerLayer<G = Circuit, J = AtHead>(GateLayer<G, J>);

impl CircuitBreakerLayer {
    /// Asks this circuit; every error is a failure.
    #[must_use]
    pub const fn new(circuit: Circuit) -> Self {
        Self(GateLayer::new(circuit))
    }
}

impl<K, F> CircuitBreakerLayer<Keyed<K, F>> {
    /// Asks the circuit of the request's key; every error is a failure.
    ///
    /// ```
    /// use tower_failover::circuit_breaker::{Circuit, CircuitBreakerLayer, Circuits};
    ///
    /// struct Get { host: String }
    ///
    /// let circuits = Circuits::new(|host: &String| Circuit::builder(host.clone()));
    /// let layer = CircuitBreakerLayer::keyed(circuits, |get: &Get| get.host.clone());
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub const fn keyed(circuits: Circuits<K>, key: F) -> Self {
        Self(GateLayer::new(Keyed::new(circuits, key)))
    }
}

impl<G, J> CircuitBreakerLayer<G, J> {
    /// Tells failures from successes by this classifier, when the inner future is done.
    #[must_use]
    pub fn classify<C>(self, classifier: C) -> CircuitBreakerLayer<G, AtHead<C>> {
        CircuitBreakerLayer(self.0.classify(classifier))
    }

    /// Settles in this way.
    #[must_use]
    pub fn settle<K>(self, settle: K) -> CircuitBreakerLayer<G, K> {
        CircuitBreakerLayer(self.0.settle(settle))
    }

    /// The circuit, or what finds it.
    #[must_use]
    pub const fn guard(&self) -> &G {
        self.0.guard()
    }
}

impl<S, G, J> Layer<S> for CircuitBreakerLayer<G, J>
where
    G: Clone,
    J: Clone,
{
    type Service = CircuitBreaker<S, G, J>;

    fn layer(&self, inner: S) -> Self::Service {
        self.0.layer(inner)
    }
}
