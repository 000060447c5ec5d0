use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tower_service::Service;

use super::{future::ResponseFuture, places::Places};
use crate::{
    BoxError,
    health::{Grade, Health, HealthGate, WhileUnknown},
};

/// Holds calls while the target is unhealthy; see the [module](super) for how.
///
/// # Readiness
///
/// Ready when the inner service is, and while the target is unhealthy: calls wait in their futures,
/// not before. Held calls reserve nothing of the inner service: they are made on clones, and what
/// this one reserved when it was ready is spent by its next call that is not held.
#[derive(Debug)]
pub struct Hold<S> {
    gate: HealthGate<S>,
    limit: Duration,
    places: Arc<Places>,
}

impl<S> Hold<S> {
    pub(super) const fn new(gate: HealthGate<S>, limit: Duration, places: Arc<Places>) -> Self {
        Self { gate, limit, places }
    }

    /// The inner service.
    pub const fn get_ref(&self) -> &S {
        self.gate.get_ref()
    }

    /// The inner service.
    pub const fn get_mut(&mut self) -> &mut S {
        self.gate.get_mut()
    }

    /// The inner service.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.gate.into_inner()
    }
}

impl<S, Request> Service<Request> for Hold<S>
where
    S: Service<Request> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S, Request, S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Service::<Request>::poll_ready(&mut self.gate, cx)
    }

    #[inline]
    fn call(&mut self, request: Request) -> Self::Future {
        let health = self.gate.guard();
        // What was shut when this was polled, and is not any more, passes on a clone at once.
        let is_held = has_to_wait(health) || self.gate.has_refused() && health.refusal().is_none();
        match is_held.then(|| Places::take(&self.places)).flatten() {
            Some(place) => ResponseFuture::held(self.gate.clone(), request, self.limit, place),
            None => ResponseFuture::calling(self.gate.call(request)),
        }
    }
}

/// Whether calls to this target are held: those that it would refuse, unless that is what was
/// chosen while it is unknown.
#[inline]
pub(super) fn has_to_wait(health: &Health) -> bool {
    match health.refusal().map(|refusal| refusal.grade()) {
        None => false,
        Some(Grade::Unknown) => health.policy().while_unknown == WhileUnknown::Wait,
        Some(Grade::Healthy | Grade::Degraded | Grade::Unhealthy) => true,
    }
}

/// The clone is not ready, whatever the original is.
impl<S> Clone for Hold<S>
where
    S: Clone,
{
    fn clone(&self) -> Self {
        Self::new(self.gate.clone(), self.limit, self.places.clone())
    }
}
