use std::{mem, pin::Pin};

use tower_service::Service;

use super::{Attempt, ResponseFuture};
use crate::{
    BoxError, Classify,
    failover::{Choice, MayHaveRun, Mode, Repeat, Repeats, failure::Failure, trip::Trip},
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
        let (result, request) = match failure {
            // What was refused at once has cost no time.
            Failure::Refused { error, request, .. } => {
                *this.attempts += u32::from(!*this.is_timed);
                (Err(error), request)
            }
            Failure::Unsent { error, request, .. } if moves => (Err(error), request),
            Failure::Unsent { error, .. } => return Some(Err(error)),
            Failure::Sent { target, result } => {
                let Some(copy) = this.copy.take().filter(|_| moves) else { return Some(result) };
                let always = *this.repeat == Repeat::Always;
                let may_have_run = match &result {
                    Ok(_) => true,
                    Err(error) => this.repeats.may_have_run(&copy, &**error),
                };
                *this.may_have_run |= may_have_run;
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
            return Some(result);
        }
        let switchboard = &this.trip.switchboard;
        let Some(choice) = switchboard.choose(this.tried, false) else {
            let nobody = || Err(switchboard.nobody(*this.may_have_run).into());
            return Some(result.or_else(|_| nobody()));
        };
        if this.copy.is_none() && keeps_copy(*this.repeat, *this.attempts - 1) {
            *this.copy = this.repeats.copy(&request);
        }
        *this.is_timed = false;
        *this.is_trial = choice.is_trial;
        this.attempt.set(set_out(this.trip, choice, this.attempts, Some(request)));
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

/// Sets out for a backend, on an instance of its own. One that was removed at this moment was not
/// chosen.
pub(super) fn set_out<S, Request, Fut>(
    trip: &mut Trip,
    choice: Choice,
    attempts: &mut u32,
    request: Option<Request>,
) -> Attempt<S, Request, Fut>
where
    S: Clone + 'static,
{
    let target = choice.target.clone();
    trip.set_out(choice);
    match trip.run(|| target.service()) {
        Some(service) => {
            *attempts -= 1;
            Attempt::Waiting { service, request }
        }
        None => {
            trip.refused();
            Attempt::Choosing { request }
        }
    }
}
