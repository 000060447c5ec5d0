use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower::retry::{Policy, future::ResponseFuture};
use tower_service::Service;

use crate::{
    BoxError,
    event::Name,
    failover::{
        MayHaveRun,
        after_retries::{Note, NotedService},
        may_have_run,
    },
};

pin_project! {
    /// The answer of a backend [after retries](crate::failover::AfterRetries).
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the try that is under way; there is no other.
    ///
    /// # Panics
    ///
    /// If polled again after it was done.
    #[must_use = "futures do nothing unless polled"]
    pub struct RetriedFuture<P, S, Request>
    where
        P: Policy<Request, S::Response, BoxError>,
        S: Service<Request>,
        S::Error: Into<BoxError>,
    {
        backend: Name,
        note: Note,
        #[pin]
        future: ResponseFuture<P, NotedService<S>, Request>,
    }
}

impl<P, S, Request> RetriedFuture<P, S, Request>
where
    P: Policy<Request, S::Response, BoxError>,
    S: Service<Request>,
    S::Error: Into<BoxError>,
{
    pub(in crate::failover) fn new(
        backend: Name,
        note: Note,
        future: ResponseFuture<P, NotedService<S>, Request>,
    ) -> Self {
        Self { backend, note, future }
    }
}

impl<P, S, Request> Future for RetriedFuture<P, S, Request>
where
    P: Policy<Request, S::Response, BoxError> + Clone,
    S: Service<Request> + Clone,
    S::Error: Into<BoxError>,
{
    type Output = Result<S::Response, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.future.poll(cx));
        Poll::Ready(result.map_err(|error| {
            if this.note.may_have_run() && !may_have_run(&*error) {
                MayHaveRun::new(this.backend.clone(), error).into()
            } else {
                error
            }
        }))
    }
}

impl<P, S, Request> fmt::Debug for RetriedFuture<P, S, Request>
where
    P: Policy<Request, S::Response, BoxError>,
    S: Service<Request>,
    S::Error: Into<BoxError>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetriedFuture")
            .field("backend", &self.backend)
            .field("note", &self.note)
            .finish_non_exhaustive()
    }
}
