use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_service::Service;

use crate::{BoxError, failover::may_have_run};

/// Whether a try of one call may have run.
#[derive(Clone, Debug, Default)]
pub(in crate::failover) struct Note(Arc<AtomicBool>);

impl Note {
    pub(in crate::failover) fn may_have_run(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is below the retries: takes note of how each try ended.
#[derive(Clone, Debug)]
pub(in crate::failover) struct Noted<S> {
    service: S,
    note: Note,
}

impl<S> Noted<S> {
    pub(super) fn new(service: S) -> Self {
        Self { service, note: Note::default() }
    }

    /// A call begins, whose tries go to clones of this. The note of the call before is used again
    /// if nobody has it any more.
    pub(super) fn begin(&mut self) -> Note {
        match Arc::get_mut(&mut self.note.0) {
            Some(note) => *note.get_mut() = false,
            None => self.note = Note::default(),
        }
        self.note.clone()
    }
}

impl<S, Request> Service<Request> for Noted<S>
where
    S: Service<Request>,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Try<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.service.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        Try { future: self.service.call(request), note: self.note.clone() }
    }
}

pin_project! {
    pub(in crate::failover) struct Try<Fut> {
        #[pin]
        future: Fut,
        note: Note,
    }
}

impl<Fut, T, E> Future for Try<Fut>
where
    Fut: Future<Output = Result<T, E>>,
    E: Into<BoxError>,
{
    type Output = Result<T, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.future.poll(cx)).map_err(Into::into);
        if result.as_ref().map_or_else(|error| may_have_run(&**error), |_| true) {
            this.note.0.store(true, Ordering::Relaxed);
        }
        Poll::Ready(result)
    }
}
