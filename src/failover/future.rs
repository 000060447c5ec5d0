//! The future of a [`Failover`](super::Failover).

use std::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep_until};
use tower_service::Service;

use super::{
    Choice, Elapsed, MayHaveRun, Mode, Repeat, Repeats, failure::Failure, target::Target, text,
    trip::Trip,
};
use crate::{BoxError, Classify, Outcome, clock, event::Trigger, logic::roster::MemberId};

pin_project! {
    /// The answer of the backend that serves, or of the next one.
    ///
    /// Each attempt has its [time](super::Policy::attempt_timeout) from its first poll on; an answer
    /// that is there at once needs no timer.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the call, which a circuit of the backend sees as cancelled and which says
    /// nothing about the backend.
    ///
    /// # Panics
    ///
    /// When the answer is not there at once, outside of a tokio runtime with a timer. If polled
    /// again after it was done.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, Request, Fut, R, C> {
        #[pin]
        attempt: Attempt<S, Request, Fut>,
        #[pin]
        sleep: Option<Sleep>,
        // The timer is that of this attempt.
        is_timed: bool,
        trip: Trip,
        repeats: R,
        classifier: C,
        repeat: Repeat,
        copy: Option<Request>,
        attempts: u32,
        may_try: bool,
        // This attempt tries a backend that is out, and says nothing about the one that serves.
        is_trial: bool,
        tried: Vec<MemberId>,
        may_have_run: bool,
    }
}

pin_project! {
    #[project = AttemptProj]
    enum Attempt<S, Request, Fut> {
        Choosing { request: Option<Request> },
        Unready { error: Option<BoxError>, request: Option<Request> },
        Waiting { service: S, request: Option<Request> },
        Calling { #[pin] future: Fut },
        Done,
    }
}

/// How the call ended, or an attempt of it failed.
type End<T, Request> = Result<Result<T, BoxError>, Failure<Request, T>>;

/// A request and what was decided about it.
pub(super) struct Order<Request, R, C> {
    pub(super) trip: Trip,
    pub(super) repeats: R,
    pub(super) classifier: C,
    pub(super) repeat: Repeat,
    pub(super) copy: Option<Request>,
}

impl<S, Request, Fut, R, C> ResponseFuture<S, Request, Fut, R, C> {
    #[inline]
    fn new(
        order: Order<Request, R, C>,
        attempts: u32,
        may_try: bool,
        attempt: Attempt<S, Request, Fut>,
    ) -> Self {
        let Order { trip, repeats, classifier, repeat, copy } = order;
        Self {
            attempt,
            sleep: None,
            is_timed: false,
            trip,
            repeats,
            classifier,
            repeat,
            copy,
            attempts,
            may_try,
            is_trial: false,
            tried: Vec::new(),
            may_have_run: false,
        }
    }

    /// The backend that serves was ready and is called.
    #[inline]
    pub(super) fn calling(order: Order<Request, R, C>, future: Fut) -> Self {
        let attempts = order.trip.switchboard.policy.attempts - 1;
        Self::new(order, attempts, false, Attempt::Calling { future })
    }

    /// The backend that serves was not ready; this waits for the instance that was polled.
    pub(super) fn waiting(order: Order<Request, R, C>, service: S, request: Request) -> Self {
        let attempts = order.trip.switchboard.policy.attempts - 1;
        Self::new(order, attempts, false, Attempt::Waiting { service, request: Some(request) })
    }

    /// The backend that serves said that it cannot be called.
    pub(super) fn unready(order: Order<Request, R, C>, error: BoxError, request: Request) -> Self {
        let attempts = order.trip.switchboard.policy.attempts - 1;
        let attempt = Attempt::Unready { error: Some(error), request: Some(request) };
        Self::new(order, attempts, false, attempt)
    }

    /// It has to be seen who serves; `may_try` lets it try one that is out.
    pub(super) fn choosing(order: Order<Request, R, C>, may_try: bool, request: Request) -> Self {
        let attempts = order.trip.switchboard.policy.attempts;
        Self::new(order, attempts, may_try, Attempt::Choosing { request: Some(request) })
    }
}

impl<S, Request, R, C> ResponseFuture<S, Request, S::Future, R, C>
where
    S: Service<Request> + Clone + 'static,
    S::Error: Into<BoxError>,
    R: Repeats<Request>,
    C: Classify<S::Response, S::Error>,
{
    /// Ready with the end of the call, or with that of an attempt which failed.
    #[inline]
    fn poll_attempt(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End<S::Response, Request>> {
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
                            Ok(result.map_err(Into::into))
                        }
                    });
                }
                AttemptProj::Waiting { service, request } => {
                    let ready = ready!(this.trip.run(|| service.poll_ready(cx)));
                    if let Err(error) = ready {
                        let error = error.into();
                        Attempt::Unready { error: Some(error), request: request.take() }
                    } else if let Err(error) = this.trip.ask() {
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
                AttemptProj::Choosing { request } => {
                    match this.trip.switchboard.choose(this.tried, *this.may_try) {
                        Some(choice) => {
                            let request = request.take();
                            *this.attempts -= 1;
                            *this.is_trial = choice.is_trial;
                            wait(this.trip, choice, request)
                        }
                        None => {
                            let nobody = this.trip.switchboard.nobody(*this.may_have_run);
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
    fn poll_time(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
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
    fn give_up(self: Pin<&mut Self>) -> Failure<Request, S::Response> {
        let mut this = self.project();
        let target = this.trip.target().clone();
        let after = this.trip.switchboard.policy.attempt_timeout;
        let error = Elapsed::new(target.name.clone(), after);
        this.trip.failed(Trigger::Timeout, text::of_error(&error), None);
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

    /// Sends the request to the next backend, or says what the caller gets.
    #[cold]
    fn go_on(
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
        if this.copy.is_none() && *this.repeat != Repeat::Never {
            *this.copy = this.repeats.copy(&request);
        }
        *this.attempts -= 1;
        *this.is_timed = false;
        *this.is_trial = choice.is_trial;
        this.attempt.set(wait(this.trip, choice, Some(request)));
        None
    }
}

/// Sets out for a backend, on an instance of its own. One that was removed at this moment is passed
/// over like one that is not ready.
fn wait<S, Request, Fut>(
    trip: &mut Trip,
    choice: Choice,
    request: Option<Request>,
) -> Attempt<S, Request, Fut>
where
    S: Clone + 'static,
{
    trip.set_out(choice);
    let target = trip.target().clone();
    match trip.run(|| Target::service(&target)) {
        Some(service) => Attempt::Waiting { service, request },
        None => Attempt::Unready { error: Some("it was removed".into()), request },
    }
}

impl<S, Request, R, C> Future for ResponseFuture<S, Request, S::Future, R, C>
where
    S: Service<Request> + Clone + 'static,
    S::Error: Into<BoxError>,
    R: Repeats<Request>,
    C: Classify<S::Response, S::Error>,
{
    type Output = Result<S::Response, BoxError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let end = match self.as_mut().poll_attempt(cx) {
                Poll::Ready(end) => end,
                Poll::Pending => {
                    ready!(self.as_mut().poll_time(cx));
                    Err(self.as_mut().give_up())
                }
            };
            let result = match end {
                Ok(result) => Some(result),
                Err(failure) => self.as_mut().go_on(failure),
            };
            if let Some(result) = result {
                self.as_mut().project().attempt.set(Attempt::Done);
                return Poll::Ready(result);
            }
        }
    }
}

impl<S, Request, Fut, R, C> fmt::Debug for ResponseFuture<S, Request, Fut, R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("trip", &self.trip)
            .field("attempts_left", &self.attempts)
            .finish_non_exhaustive()
    }
}

const COMPLETED: &str = "a future is not polled after it completed or panicked";
