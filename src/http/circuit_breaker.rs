use super::AtEnd;
use crate::circuit_breaker::{Circuit, CircuitBreakerLayer, Circuits, Keyed};

/// For HTTP clients and servers (feature `http`).
impl CircuitBreakerLayer {
    /// Asks this circuit; errors, 5xx, and bodies that do not end well are failures.
    ///
    /// The verdict comes with the end of the body: see [`AtEnd`]. For endless streams judge at the
    /// head: `CircuitBreakerLayer::new(circuit).classify(ServerErrors::new())`.
    ///
    /// ```
    /// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
    /// use tower::ServiceBuilder;
    /// use tower_failover::circuit_breaker::{Circuit, CircuitBreakerLayer};
    ///
    /// let client = Client::builder(TokioExecutor::new()).build_http::<String>();
    /// let service = ServiceBuilder::new()
    ///     .layer(CircuitBreakerLayer::for_http(Circuit::new("inventory")))
    ///     .service(client);
    /// # let _ = service;
    /// ```
    #[must_use]
    pub fn for_http(circuit: Circuit) -> CircuitBreakerLayer<Circuit, AtEnd> {
        Self::new(circuit).settle(AtEnd::new())
    }
}

/// For HTTP clients and servers (feature `http`).
impl<K, F> CircuitBreakerLayer<Keyed<K, F>> {
    /// Asks the circuit of the request's key; otherwise as
    /// [`for_http`](CircuitBreakerLayer::for_http).
    ///
    /// ```
    /// use http::{Request, uri::Authority};
    /// use tower_failover::circuit_breaker::{Circuit, CircuitBreakerLayer, Circuits};
    ///
    /// let circuits = Circuits::new(|_: &Option<Authority>| Circuit::builder("host"));
    /// let layer = CircuitBreakerLayer::keyed_for_http(circuits, |request: &Request<String>| {
    ///     request.uri().authority().cloned()
    /// });
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn keyed_for_http(
        circuits: Circuits<K>,
        key: F,
    ) -> CircuitBreakerLayer<Keyed<K, F>, AtEnd> {
        Self::keyed(circuits, key).settle(AtEnd::new())
    }
}
