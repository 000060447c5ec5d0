//! What becomes of calls to a target by its health.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests spawn openly and fail by panicking"
)]

#[allow(dead_code, reason = "this uses a part of it")]
#[path = "../circuit_breaker/backend.rs"]
mod backend;
mod economy;
mod fallback;
mod hold;
mod refusal;
mod router;
mod unknown;

use std::time::Duration;

use tower::{Service, ServiceExt};
use tower_failover::{
    BoxError,
    health::{Grade, Health, Policy, Unhealthy},
};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
const NAME: &str = "backend";

/// A target that no monitor looks at; one good result is enough to bring it back.
fn unwatched(policy: Policy) -> Health {
    Health::builder(NAME).policy(policy.rise(1)).build()
}

fn unknown() -> Health {
    unwatched(Policy::new())
}

fn healthy() -> Health {
    let health = unknown();
    rise(&health);
    health
}

fn unhealthy() -> Health {
    let health = unknown();
    fall(&health);
    health
}

fn rise(health: &Health) {
    health.up();
    assert_eq!(health.grade(), Grade::Healthy);
}

fn fall(health: &Health) {
    health.down("the disk is full");
    assert_eq!(health.grade(), Grade::Unhealthy);
}

/// One call, as callers make it.
async fn call<S>(service: &mut S) -> Result<S::Response, BoxError>
where
    S: Service<(), Error = BoxError>,
{
    service.ready().await?.call(()).await
}

fn refusal<T>(result: &Result<T, BoxError>) -> Option<&Unhealthy> {
    Unhealthy::find(&**result.as_ref().err()?)
}
