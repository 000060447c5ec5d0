use super::{Codes, retry_after};
use crate::{
    circuit_breaker::{Circuit, CircuitBreakerLayer, Circuits, Keyed},
    http::AtEnd,
};

/// For gRPC clients and servers (feature `grpc`).
impl CircuitBreakerLayer {
    /// Asks this circuit; errors, the codes of [`Codes::new`], and bodies that do not end well are
    /// failures.
    ///
    /// Other codes: `CircuitBreakerLayer::new(circuit).settle(grpc::at_end(codes))`.
    ///
    /// ```
    /// use tonic::transport::Channel;
    /// use tower::ServiceBuilder;
    /// use tower_failover::{
    ///     circuit_breaker::{Circuit, CircuitBreakerLayer},
    ///     http::AnswerRefusalsLayer,
    /// };
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let channel = Channel::from_static("http://[::1]:50051").connect_lazy();
    /// let service = ServiceBuilder::new()
    ///     .layer(AnswerRefusalsLayer::for_grpc())
    ///     .layer(CircuitBreakerLayer::for_grpc(Circuit::new("inventory")))
    ///     .service(channel);
    /// let client = tonic::client::Grpc::new(service);
    /// # let _ = client;
    /// # }
    /// ```
    #[must_use]
    pub fn for_grpc(circuit: Circuit) -> CircuitBreakerLayer<Circuit, AtEnd<Codes>> {
        Self::new(circuit).settle(at_end(Codes::new()))
    }
}

/// For gRPC clients and servers (feature `grpc`).
impl<K, F> CircuitBreakerLayer<Keyed<K, F>> {
    /// Asks the circuit of the request's key; otherwise as
    /// [`for_grpc`](CircuitBreakerLayer::for_grpc).
    #[must_use]
    pub fn keyed_for_grpc(
        circuits: Circuits<K>,
        key: F,
    ) -> CircuitBreakerLayer<Keyed<K, F>, AtEnd<Codes>> {
        Self::keyed(circuits, key).settle(at_end(Codes::new()))
    }
}

/// Settles with the end of a gRPC response, on these codes and with [`retry_after`].
#[must_use]
pub fn at_end(codes: Codes) -> AtEnd<Codes> {
    AtEnd::by(codes).retry_after(retry_after)
}
