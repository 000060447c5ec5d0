use std::time::Duration;

use tower_layer::Layer;

use super::{Health, hold::HoldLayer};
use crate::gate::{Gate, GateLayer};

/// A service behind the health of its target: a [`Gate`] whose guard is a [`Health`].
pub type HealthGate<S> = Gate<S, Health>;

/// Refuses at once, with [`Unhealthy`](super::Unhealthy), what would go to an unhealthy target.
///
/// The inner service is neither polled nor called meanwhile, and a task that waits for it is woken
/// when health falls. While nothing is known of the target, calls pass, unless the
/// [policy](super::Policy) refuses them. How calls end says nothing to the health: a circuit below
/// can tell it, by [`Health::signals`].
///
/// The health is made before the layer and shared by all that the layer makes, so it works under
/// `axum::Router::layer`, which applies its layers many times.
///
/// ```
/// use tower::{Service, ServiceBuilder, ServiceExt};
/// use tower_failover::health::{Health, HealthGateLayer, Unhealthy};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let health = Health::new("inventory");
/// let mut service = ServiceBuilder::new()
///     .layer(HealthGateLayer::new(health.clone()))
///     .service_fn(async |item: u64| Ok::<_, std::io::Error>(item));
/// assert_eq!(service.ready().await.unwrap().call(7).await.unwrap(), 7);
///
/// health.down("disk full");
/// let error = service.ready().await.unwrap().call(7).await.unwrap_err();
/// let unhealthy = Unhealthy::find(&*error).unwrap();
/// assert_eq!(unhealthy.target(), "inventory");
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct HealthGateLayer(GateLayer<Health>);

impl HealthGateLayer {
    /// Asks this health.
    #[must_use]
    pub const fn new(health: Health) -> Self {
        Self(GateLayer::new(health))
    }

    /// Lets up to `at_most` calls at a time wait, each for up to `limit`, instead of refusing them.
    ///
    /// See [`hold`](super::hold) for how they wait.
    #[must_use]
    pub fn hold_for(self, limit: Duration, at_most: usize) -> HoldLayer {
        HoldLayer::new(self, limit, at_most)
    }

    /// The health.
    #[must_use]
    pub const fn health(&self) -> &Health {
        self.0.guard()
    }
}

impl<S> Layer<S> for HealthGateLayer {
    type Service = HealthGate<S>;

    fn layer(&self, inner: S) -> Self::Service {
        self.0.layer(inner)
    }
}
