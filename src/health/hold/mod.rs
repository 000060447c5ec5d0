//! Holds calls to an unhealthy target until it is well again, instead of refusing them.
//!
//! For targets that are back in no time, as after a failover of their own, and callers who would
//! rather wait for that than fail:
//!
//! ```
//! use std::time::Duration;
//! use tower::{Service, ServiceBuilder, ServiceExt};
//! use tower_failover::health::{Health, HealthGateLayer};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let health = Health::new("inventory");
//! let mut service = ServiceBuilder::new()
//!     .layer(HealthGateLayer::new(health.clone()).hold_for(Duration::from_secs(2), 100))
//!     .service_fn(async |item: u64| Ok::<_, std::io::Error>(item));
//!
//! health.down("restarts");
//! let held = service.ready().await.unwrap().call(7);
//! let back = async {
//!     tokio::time::sleep(Duration::from_secs(1)).await;
//!     health.up();
//! };
//! let (answer, ()) = tokio::join!(held, back);
//! assert_eq!(answer.unwrap(), 7);
//! # }
//! ```
//!
//! # How it behaves
//!
//! A call finds the target healthy: it passes, on the instance of the inner service that was polled
//! ready. It finds it unhealthy: its future waits, and costs no poll until the grade changes or the
//! limit ends. Then it goes to a [gate](super::HealthGateLayer) over the instance of the inner
//! service that it took along, which it polls ready: well again, it passes; at the end of the limit
//! it is refused with [`Unhealthy`](super::Unhealthy). If health falls once more before that was
//! ready, it waits on, for what is left of the limit. The limit is for health, not for readiness.
//!
//! When the target is back, all who wait are woken at once: `at_most` is how many calls it is sent
//! in that moment, beside those that come then. A concurrency limit below spreads them out.
//!
//! When a refusal ends by time alone, as that of an [open circuit](super::Signals) without a monitor
//! does, those who wait go on by themselves: one becomes the probe of the circuit, which refuses the
//! others while that is under way.
//!
//! Calls over `at_most` are refused at once. The number counts over all services that a layer and
//! its clones make.
//!
//! # Unknown
//!
//! While nothing is known of the target its [policy](super::Policy::while_unknown) says what
//! becomes of calls. With [`WhileUnknown::Wait`](super::WhileUnknown::Wait) they wait here, and are
//! refused where nobody holds them.

pub mod future;
mod layer;
mod places;
mod service;

pub use self::{layer::HoldLayer, service::Hold};
