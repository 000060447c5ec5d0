mod noted;

use std::{
    fmt,
    task::{Context, Poll},
};

use tower::retry::{Policy, Retry};
use tower_service::Service;

use self::noted::Noted;
use super::future::RetriedFuture;
use crate::{BoxError, event::Name};

pub(super) use self::noted::{Note, Noted as NotedService};

/// A service whose calls are tried again before they fail; see
/// [`Backend::after_retries`](super::Backend::after_retries).
///
/// When the last try did not run, but one before it may have, the error is a
/// [`MayHaveRun`](super::MayHaveRun).
#[derive(Clone)]
pub struct AfterRetries<P, S> {
    backend: Name,
    retry: Retry<P, Noted<S>>,
}

impl<P, S> AfterRetries<P, S> {
    pub(super) fn new(backend: Name, policy: P, service: S) -> Self {
        Self { backend, retry: Retry::new(policy, Noted::new(service)) }
    }
}

impl<P, S, Request> Service<Request> for AfterRetries<P, S>
where
    P: Policy<Request, S::Response, BoxError> + Clone,
    S: Service<Request> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = RetriedFuture<P, S, Request>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.retry.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let note = self.retry.get_mut().begin();
        RetriedFuture::new(self.backend.clone(), note, self.retry.call(request))
    }
}

impl<P, S> fmt::Debug for AfterRetries<P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AfterRetries").field("backend", &self.backend).finish_non_exhaustive()
    }
}
