use std::{
    mem,
    sync::Arc,
    task::{Context, Poll},
};

use tower_service::Service;

use super::{Target, future::Trip, switchboard::Switchboard};
use crate::{
    BoxError,
    logic::{Moment, roster::MemberId},
};

/// An instance of the service of the backend that serves.
pub(super) struct Seat<S> {
    pub(super) target: Arc<Target>,
    pub(super) service: S,
    pub(super) readiness: Readiness,
}

/// An instance that was polled: it may hold a place at its backend, or queue for one.
pub(super) struct Polled<S> {
    pub(super) id: MemberId,
    pub(super) service: S,
}

/// What the last `poll_ready` of an instance said.
#[derive(Debug)]
pub(super) enum Readiness {
    /// It was not asked since its last call.
    Unknown,
    Ready,
    Pending,
    Failed(BoxError),
}

impl<S> Seat<S>
where
    S: Clone + 'static,
{
    /// `None` if the backend was removed at this moment.
    pub(super) fn of(target: Arc<Target>) -> Option<Self> {
        let service = target.service()?;
        Some(Self { target, service, readiness: Readiness::Unknown })
    }

    /// Gets up: what `poll_ready` reserved does not stay behind.
    pub(super) fn give_up(&mut self) -> Option<Polled<S>> {
        match mem::replace(&mut self.readiness, Readiness::Unknown) {
            Readiness::Unknown => None,
            Readiness::Ready | Readiness::Pending => {
                Some(Polled { id: self.target.id, service: self.renew() })
            }
            Readiness::Failed(_) => {
                drop(self.renew());
                None
            }
        }
    }

    /// The instance, in whose place there is a clone now, which has not been asked.
    pub(super) fn renew(&mut self) -> S {
        let fresh = self.service.clone();
        mem::replace(&mut self.service, fresh)
    }
}

impl<S> Seat<S> {
    /// Asks the instance once. A panic is charged to its backend.
    #[inline]
    pub(super) fn poll_ready<Request>(
        &mut self,
        switchboard: &Arc<Switchboard>,
        cx: &mut Context<'_>,
    ) where
        S: Service<Request>,
        S::Error: Into<BoxError>,
    {
        let watch = Watch { switchboard, target: &self.target };
        let ready = self.service.poll_ready(cx);
        mem::forget(watch);
        self.readiness = match ready {
            Poll::Ready(Ok(())) => Readiness::Ready,
            Poll::Ready(Err(error)) => Readiness::Failed(error.into()),
            Poll::Pending => Readiness::Pending,
        };
    }
}

/// A clone has not been asked whether it is ready.
impl<S> Clone for Seat<S>
where
    S: Clone,
{
    fn clone(&self) -> Self {
        let (target, service) = (self.target.clone(), self.service.clone());
        Self { target, service, readiness: Readiness::Unknown }
    }
}

/// Dropped only when the service unwinds.
struct Watch<'a> {
    switchboard: &'a Arc<Switchboard>,
    target: &'a Arc<Target>,
}

impl Drop for Watch<'_> {
    #[cold]
    fn drop(&mut self) {
        let (switchboard, target) = (self.switchboard.clone(), self.target.clone());
        Trip::with(switchboard, target, None, Moment::NEVER).unwind();
    }
}
