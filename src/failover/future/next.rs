use std::{mem, pin::Pin};

use tower_service::Service;

use super::{Attempt, Failure, ResponseFuture, Trip};
use crate::{
    BoxError, Classify,
    event::Name,
    failover::{Choice, MayHaveRun, Mode, Repeat, Repeats, may_have_run, seat::Polled},
};

/// What comes after an attempt that failed.
impl<S, Request, R, C> ResponseFuture<S, Request, S::Future, R, C>
where
    S: Service<Request> + Clone + 'static,
    S::Error: Into<BoxError>,
    R: Repeats<Request>,
    C: Classify<S::Response, S::Error>,
{
    /// Sends the request to the next backend, or says what the caller gets.
    #[cold]
    pub(super) fn go_on(
        self: Pin<&mut Self>,
        failure: Failure<Request, S::Response>,
    ) -> Option<Result<S::Response, BoxError>> {
        let mut this = self.project();
        let was_trial = mem::take(this.is_trial);
        let moves = was_trial || this.trip.switchboard.policy.mode == Mode::AtOnce;
        this.tried.push(failure.target().id);
        let (mut may_have_run_at, mut goes_on) = (None, false);
        let honest = |result: Result<_, _>, request: Option<&Request>| {
            result.map_err(|error| with_doubt(this.repeats, this.doubt, request, error))
        };
        let (result, request) = match failure {
            // What was refused at once has cost no time. After a wait the last attempt goes on with what
            // is left of its time.
            Failure::Refused { error, request, .. } => {
                goes_on = *this.is_timed && *this.attempts == 0;
                *this.attempts += u32::from(!*this.is_timed || goes_on);
                (Err(error), request)
            }
            Failure::Unsent { error, request, .. } if moves => (Err(error), request),
            Failure::Unsent { error, request, .. } => {
                return Some(honest(Err(error), Some(&request)));
            }
            Failure::Sent { target, result } => {
                let Some(copy) = this.copy.take() else {
                    let is_doubted = moves && *this.repeat == Repeat::IfNotApplied;
                    return Some(match result {
                        Err(error) if is_doubted && may_have_run(&*error) => {
                            Err(MayHaveRun::new(target.name.clone(), error).into())
                        }
                        result => honest(result, None),
                    });
                };
                if !moves {
                    return Some(honest(result, Some(&copy)));
                }
                let always = *this.repeat == Repeat::Always;
                let may_have_run = match &result {
                    Ok(_) => true,
                    Err(error) => this.repeats.may_have_run(&copy, &**error),
                };
                may_have_run_at = may_have_run.then(|| target.name.clone());
                match result {
                    Err(error) if may_have_run && !always => {
                        return Some(Err(MayHaveRun::new(target.name.clone(), error).into()));
                    }
                    Ok(response) if !always => return Some(Ok(response)),
                    Ok(_) | Err(_) => (result, copy),
                }
            }
        };
        if *this.attempts == 0 {
            return Some(honest(result, Some(&request)));
        }
        *this.doubt = this.doubt.take().or(may_have_run_at);
        let may_have_run = this.doubt.is_some();
        // In doubt the last attempt is to be judged, too. The copy is made before a backend is claimed:
        // it may panic.
        let keeps_copy = may_have_run || keeps_copy(*this.repeat, *this.attempts - 1);
        if this.copy.is_none() && keeps_copy {
            *this.copy = this.repeats.copy(&request);
        }
        let switchboard = &this.trip.switchboard;
        let Some(choice) = switchboard.choose(this.tried, false) else {
            return Some(result.map_err(|_| switchboard.nobody(may_have_run).into()));
        };
        *this.is_timed = goes_on;
        *this.is_trial = choice.is_trial;
        this.attempt.set(set_out(this.trip, choice, this.attempts, None, Some(request)));
        None
    }
}

/// Whether a copy has a use when so many attempts are left: to be sent, or to be judged by.
#[inline]
pub(in crate::failover) const fn keeps_copy(repeat: Repeat, attempts: u32) -> bool {
    match repeat {
        Repeat::Never => false,
        Repeat::IfNotApplied => true,
        Repeat::Always => attempts > 0,
    }
}

/// The error that the caller gets: one that says that nothing ran would be wrong if an earlier attempt
/// may have run.
pub(super) fn with_doubt<R, Request>(
    repeats: &R,
    doubt: &Option<Name>,
    request: Option<&Request>,
    error: BoxError,
) -> BoxError
where
    R: Repeats<Request>,
{
    let Some(backend) = doubt else { return error };
    let judged = |request: &Request| repeats.may_have_run(request, &*error);
    if may_have_run(&*error) && request.is_none_or(judged) {
        return error;
    }
    MayHaveRun::new(backend.clone(), error).into()
}

/// Sets out for a backend, on an instance of its own, or on the one that was polled if that is of
/// this backend. One that was removed at this moment was not chosen.
pub(super) fn set_out<S, Request, Fut>(
    trip: &mut Trip,
    choice: Choice,
    attempts: &mut u32,
    polled: Option<Polled<S>>,
    request: Option<Request>,
) -> Attempt<S, Request, Fut>
where
    S: Clone + 'static,
{
    let target = choice.target.clone();
    trip.set_out(choice);
    let polled = polled.filter(|polled| polled.id == target.id);
    let ready = polled.map(|polled| polled.service);
    match ready.or_else(|| trip.run(|| target.service())) {
        Some(service) => {
            *attempts -= 1;
            Attempt::Waiting { service, request }
        }
        None => {
            trip.refused();
            Attempt::Choosing { polled: None, request }
        }
    }
}
