use std::{
    mem,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tower_service::Service;

use super::{future::ResponseFuture, places::Places};
use crate::{
    BoxError,
    health::{Grade, Health, HealthGate, Unhealthy, WhileUnknown},
};

/// Holds calls while the target is unhealthy; see the [module](super) for how.
///
/// # Readiness
///
/// Ready when the inner service is, and while the target is unhealthy: calls wait in their futures,
/// not before. A held call takes along the instance that was polled, with what it has reserved of
/// the inner service; the next call is made on a clone.
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
        let refusal = self.gate.guard().refusal();
        let waits = match &refusal {
            // What was shut when this was polled, and is not any more, has to be polled once more.
            None if self.gate.has_refused() => true,
            None => return ResponseFuture::calling(self.gate.call_admitted(request, ())),
            Some(refusal) => waits_out(self.gate.guard(), refusal),
        };
        match waits.then(|| Places::take(&self.places)).flatten() {
            Some(place) => {
                // What this one has reserved goes along, or a limit would wait for itself.
                let clone = self.gate.clone();
                let polled = mem::replace(&mut self.gate, clone);
                ResponseFuture::held(polled, request, self.limit, place)
            }
            None => ResponseFuture::calling(self.gate.call(request)),
        }
    }
}

/// Whether calls that would be refused so are held: unless that is what was chosen while the target
/// is unknown.
pub(super) fn waits_out(health: &Health, refusal: &Unhealthy) -> bool {
    match refusal.grade() {
        Grade::Unknown => health.policy().while_unknown == WhileUnknown::Wait,
        Grade::Healthy | Grade::Degraded | Grade::Unhealthy => true,
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
