use std::{fmt, future::poll_fn};

use tower_service::Service;

use super::{Checking, Probe};
use crate::{BoxError, Classify, ErrorsAreFailures, Outcome};

/// Probes a target by a request to a service: waits until it is ready, and calls it.
///
/// ```
/// use tower::service_fn;
/// use tower_failover::{BoxError, health::{Health, ServiceProbe}};
///
/// let service = service_fn(async |_: &str| Ok::<u16, BoxError>(200));
/// let (health, monitor) =
///     Health::builder("origin").probe(ServiceProbe::new(service, "/healthz")).monitor();
/// # let _ = (health, monitor);
/// ```
#[derive(Clone)]
pub struct ServiceProbe<S, Request, C = ErrorsAreFailures> {
    service: S,
    request: Request,
    classifier: C,
}

impl<S, Request> ServiceProbe<S, Request> {
    /// Sends a clone of this request to a clone of this service; every error is bad.
    #[must_use]
    pub const fn new(service: S, request: Request) -> Self {
        Self { service, request, classifier: ErrorsAreFailures }
    }
}

impl<S, Request, C> ServiceProbe<S, Request, C> {
    /// Tells bad answers from good ones by this classifier. What it ignores is good.
    #[must_use]
    pub fn classify<K>(self, classifier: K) -> ServiceProbe<S, Request, K> {
        let Self { service, request, classifier: _ } = self;
        ServiceProbe { service, request, classifier }
    }
}

impl<S, Request, C> Probe for ServiceProbe<S, Request, C>
where
    S: Service<Request> + Clone + Send + 'static,
    S::Response: Send,
    S::Error: Into<BoxError> + Send,
    S::Future: Send,
    Request: Clone + Send + 'static,
    C: Classify<S::Response, S::Error> + Clone + Send + 'static,
{
    fn check(&self) -> Checking {
        let Self { mut service, request, classifier } = self.clone();
        Box::pin(async move {
            poll_fn(|cx| service.poll_ready(cx)).await.map_err(Into::into)?;
            let result = service.call(request).await;
            match (classifier.classify(&result), result) {
                (Outcome::Failure, Ok(_)) => Err("its answer is a failure".into()),
                (Outcome::Failure, Err(error)) => Err(error.into()),
                (Outcome::Success | Outcome::Ignored, _) => Ok(()),
            }
        })
    }
}

impl<S, Request, C> fmt::Debug for ServiceProbe<S, Request, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceProbe").finish_non_exhaustive()
    }
}
