use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::time::sleep_until;
use tower_service::Service;

use super::{
    Attempt, AttemptProj, COMPLETED, End, Failure, ResponseFuture,
    next::{set_out, with_doubt},
};
use crate::{
    BoxError, Classify, Outcome, clock,
    event::{Trigger, text},
    failover::{Elapsed, Repeats},
};

/// One attempt.
impl<S, Request, R, C> ResponseFuture<S, Request, S::Future, R, C>
where
    S: Service<Request> + Clone + 'static,
    S::Error: Into<BoxError>,
    R: Repeats<Request>,
    C: Classify<S::Response, S::Error>,
{
    /// Ready with the end of the call, or with that of an attempt which failed.
    #[inline]
    pub(super) fn poll_attempt(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<End<S::Response, Request>> {
        let mut this = self.project();
        loop {
            let next = match this.attempt.as_mut().project() {
                AttemptProj::Calling { future } => {
                    let result = ready!(this.trip.run(|| future.poll(cx)));
                    return Poll::Ready(match this.classifier.classify(&result) {
                        Outcome::Failure => {
                            let retry_after = this.classifier.retry_after(&result);
                            let result = result.map_err(Into::into);
                            let why = match &result {
                                Ok(_) => text::of_words("its answer was a failure"),
                                Err(error) => text::of_error(&**error),
                            };
                            let target = this.trip.target().clone();
                            this.trip.failed(Trigger::Connection, why, retry_after);
                            Err(Failure::Sent { target, result })
                        }
                        outcome @ (Outcome::Success | Outcome::Ignored) => {
                            this.trip.answered(outcome);
                            let (doubt, copy) = (&*this.doubt, this.copy.as_ref());
                            let honest = |error| with_doubt(this.repeats, doubt, copy, error);
                            Ok(result.map_err(|error| honest(error.into())))
                        }
                    });
                }
                AttemptProj::Waiting { service, request } => {
                    // What becomes ready when the time is up would be called and left at once.
                    let sleep = this.sleep.as_ref().as_pin_ref();
                    if *this.is_timed && sleep.is_some_and(|sleep| sleep.is_elapsed()) {
                        return Poll::Pending;
                    }
                    let ready = ready!(this.trip.run(|| service.poll_ready(cx)));
                    if let Err(error) = ready {
                        let error = error.into();
                        Attempt::Unready { error: Some(error), request: request.take() }
                    } else if let Err(error) = this.trip.ask(this.doubt.is_some()) {
                        let target = this.trip.target().clone();
                        this.trip.refused();
                        let request = request.take().expect(COMPLETED);
                        return Poll::Ready(Err(Failure::Refused { target, error, request }));
                    } else {
                        let request = request.take().expect(COMPLETED);
                        Attempt::Calling { future: this.trip.run(|| service.call(request)) }
                    }
                }
                AttemptProj::Unready { error, request } => {
                    let (error, request) =
                        (error.take().expect(COMPLETED), request.take().expect(COMPLETED));
                    let target = this.trip.target().clone();
                    this.trip.failed(Trigger::Connection, text::of_error(&*error), None);
                    return Poll::Ready(Err(Failure::Unsent { target, error, request }));
                }
                AttemptProj::Choosing { polled, request } => {
                    match this.trip.switchboard.choose(this.tried, *this.may_try) {
                        Some(choice) => {
                            *this.is_trial = choice.is_trial;
                            set_out(this.trip, choice, this.attempts, polled.take(), request.take())
                        }
                        None => {
                            let nobody = this.trip.switchboard.nobody(this.doubt.is_some());
                            return Poll::Ready(Ok(Err(nobody.into())));
                        }
                    }
                }
                AttemptProj::Done => panic!("{COMPLETED}"),
            };
            this.attempt.set(next);
        }
    }

    /// Ready when the attempt has had its time.
    pub(super) fn poll_time(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if !*this.is_timed {
            this.trip.time();
            let at = clock::deadline(this.trip.switchboard.policy.attempt_timeout);
            match this.sleep.as_mut().as_pin_mut() {
                Some(sleep) => sleep.reset(at),
                None => this.sleep.set(Some(sleep_until(at))),
            }
            *this.is_timed = true;
        }
        this.sleep.as_pin_mut().expect("it was set").poll(cx)
    }

    /// Ends an attempt that has had its time.
    #[cold]
    pub(super) fn give_up(self: Pin<&mut Self>) -> Failure<Request, S::Response> {
        let mut this = self.project();
        let target = this.trip.target().clone();
        let after = this.trip.switchboard.policy.attempt_timeout;
        let error = Elapsed::new(target.name.clone(), after);
        this.trip.expired(text::of_error(&error));
        let unsent = match this.attempt.as_mut().project() {
            AttemptProj::Waiting { request, .. } => request.take(),
            AttemptProj::Choosing { .. }
            | AttemptProj::Unready { .. }
            | AttemptProj::Calling { .. }
            | AttemptProj::Done => None,
        };
        this.attempt.set(Attempt::Done);
        match unsent {
            Some(request) => Failure::Unsent { target, error: error.into(), request },
            None => Failure::Sent { target, result: Err(error.into()) },
        }
    }
}
