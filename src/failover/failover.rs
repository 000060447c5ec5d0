use std::{
    any::type_name,
    fmt, mem,
    sync::Arc,
    task::{Context, Poll},
};

use tower_service::Service;

use super::{
    AddError, Backend, Builder, Control, Repeat, Repeats, Status,
    future::{Order, ResponseFuture, Trip, keeps_copy},
    seat::{Polled, Readiness, Seat},
    switchboard::Switchboard,
};
use crate::{BoxError, Classify, ErrorsAreFailures, clock, event::Name, logic::Moment};

/// Several backends that behave as one service; see the [module](super) for how.
///
/// A clone is another handle to the same backends. Its error is a [`BoxError`]: that of the backend,
/// or [`NoBackend`](super::NoBackend), [`MayHaveRun`](super::MayHaveRun) or
/// [`Elapsed`](super::Elapsed).
///
/// # Readiness
///
/// Always ready. `poll_ready` asks the backend that serves once, and the call goes to the instance
/// that was asked; if it was not ready, the call waits for it as long as an attempt may take.
pub struct Failover<S, R = Repeat, C = ErrorsAreFailures> {
    switchboard: Arc<Switchboard>,
    repeats: R,
    classifier: C,
    seat: Option<Seat<S>>,
}

impl<S> Failover<S> {
    /// Names it, and takes its backends and settings.
    pub fn builder(name: impl Into<Name>) -> Builder<S> {
        Builder::new(name.into())
    }
}

impl<S, R, C> Failover<S, R, C> {
    pub(super) fn new(switchboard: Arc<Switchboard>, repeats: R, classifier: C) -> Self {
        Self { switchboard, repeats, classifier, seat: None }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.switchboard.name.as_str()
    }

    /// Looks at it and acts on it by hand.
    #[must_use]
    pub fn control(&self) -> Control {
        Control::new(self.switchboard.clone())
    }

    /// Its backends and who of them serves.
    #[must_use]
    pub fn status(&self) -> Status {
        self.control().status()
    }

    /// Adds a backend. While another serves, it is checked before it is used.
    ///
    /// # Errors
    ///
    /// If there is a backend of that name, or it lacks what the mode goes by.
    pub fn add(&self, backend: Backend<S>) -> Result<(), AddError>
    where
        S: Send + 'static,
    {
        self.switchboard.add(vec![backend])
    }

    /// Removes a backend; calls that it has are not disturbed, and idle handles let go of it with their
    /// next call. Returns whether there was one of that name.
    pub fn remove(&self, name: &str) -> bool {
        self.control().remove(name)
    }
}

impl<S, R, C> Failover<S, R, C>
where
    S: Clone + 'static,
{
    /// Takes the seat of the backend that serves, unless it has it already.
    #[inline]
    fn sit(&mut self) {
        let active = self.switchboard.word.read().active;
        if let Some(seat) = &self.seat
            && Some(seat.target.id) == active
            && seat.target.is_fine()
        {
            return;
        }
        self.change_seats();
    }

    #[cold]
    fn change_seats(&mut self) {
        let Some(target) = self.switchboard.active() else {
            self.seat = None;
            return;
        };
        if self.seat.as_ref().is_none_or(|seat| seat.target.id != target.id) {
            self.seat = Seat::of(target);
        }
    }
}

impl<S, R, C, Request> Service<Request> for Failover<S, R, C>
where
    S: Service<Request> + Clone + 'static,
    S::Error: Into<BoxError>,
    R: Repeats<Request> + Clone,
    C: Classify<S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S, Request, S::Future, R, C>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.sit();
        if let Some(seat) = &mut self.seat {
            seat.poll_ready(&self.switchboard, cx);
        }
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn call(&mut self, request: Request) -> Self::Future {
        let repeat = self.repeats.repeat(&request);
        let keeps_copy = keeps_copy(repeat, self.switchboard.policy.attempts - 1);
        let copy = if keeps_copy { self.repeats.copy(&request) } else { None };
        let order = |trip| Order {
            trip,
            repeats: self.repeats.clone(),
            classifier: self.classifier.clone(),
            repeat,
            copy,
        };
        let may_try = self.switchboard.may_try(repeat);
        let Some(seat) = self.seat.as_mut().filter(|seat| {
            !may_try && self.switchboard.sends_to(seat.target.id) && seat.target.is_fine()
        }) else {
            let order = order(Trip::new(self.switchboard.clone()));
            let polled = self.seat.as_mut().and_then(Seat::give_up);
            return ResponseFuture::choosing(order, may_try, polled, request);
        };
        match mem::replace(&mut seat.readiness, Readiness::Unknown) {
            Readiness::Ready => {
                let Ok(permit) = seat.target.permit() else {
                    let order = order(Trip::new(self.switchboard.clone()));
                    let polled = Polled { id: seat.target.id, service: seat.renew() };
                    return ResponseFuture::choosing(order, false, Some(polled), request);
                };
                let (switchboard, target) = (self.switchboard.clone(), seat.target.clone());
                let mut trip = Trip::with(switchboard, target, permit, began());
                let future = trip.run(|| seat.service.call(request));
                ResponseFuture::calling(order(trip), future)
            }
            Readiness::Unknown | Readiness::Pending => {
                let service = seat.renew();
                let (switchboard, target) = (self.switchboard.clone(), seat.target.clone());
                let trip = Trip::with(switchboard, target, None, Moment::NEVER);
                ResponseFuture::waiting(order(trip), service, request)
            }
            Readiness::Failed(error) => {
                let (switchboard, target) = (self.switchboard.clone(), seat.target.clone());
                let trip = Trip::with(switchboard, target, None, Moment::NEVER);
                self.seat = None;
                ResponseFuture::unready(order(trip), error, request)
            }
        }
    }
}

/// When a call began, of one in sixteen: reading the clock for each would cost more than the rest.
#[inline]
fn began() -> Moment {
    if fastrand::u8(..) < 16 { clock::now() } else { Moment::NEVER }
}

impl<S, R, C> Clone for Failover<S, R, C>
where
    S: Clone,
    R: Clone,
    C: Clone,
{
    fn clone(&self) -> Self {
        Self {
            switchboard: self.switchboard.clone(),
            repeats: self.repeats.clone(),
            classifier: self.classifier.clone(),
            seat: self.seat.clone(),
        }
    }
}

impl<S, R, C> fmt::Debug for Failover<S, R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failover")
            .field("switchboard", &self.switchboard)
            .field("seat", &self.seat.as_ref().map(|seat: &Seat<S>| &seat.target.name))
            .field("repeats", &format_args!("{}", type_name::<R>()))
            .field("classifier", &format_args!("{}", type_name::<C>()))
            .finish_non_exhaustive()
    }
}
