use std::{any::type_name, fmt, ops::RangeInclusive, time::Duration};

use http::Response;
use tower_http::classify::{
    ClassifiedResponse, ClassifyEos, ClassifyResponse, NeverClassifyEos, ServerErrorsAsFailures,
    StatusInRangeAsFailures,
};

use super::{refused::any_comes_back_after, retry_after};
use crate::{Classify, Outcome};

/// Treats as failures every error and, by default, every response with a status of 5xx.
///
/// It judges by the head of a response. [`AtEnd`](super::AtEnd) waits for the end of its body.
///
/// A 4xx is the caller's own: a success of the backend. `Retry-After` of a failed response, and the
/// time that the refusal of an inner circuit, health gate or failover says, lengthen the open time.
/// Such a refusal, as [`Open`](crate::circuit_breaker::Open), is a failure as every error is, so
/// that a fallback above answers it.
///
/// ```
/// use http::Response;
/// use tower_failover::{BoxError, Classify, Outcome, http::ServerErrors};
///
/// let answer = |status| Ok::<_, BoxError>(Response::builder().status(status).body(()).unwrap());
/// assert_eq!(ServerErrors::new().classify(&answer(503)), Outcome::Failure);
/// assert_eq!(ServerErrors::new().classify(&answer(404)), Outcome::Success);
/// assert_eq!(ServerErrors::within(429..=599).classify(&answer(429)), Outcome::Failure);
/// ```
#[derive(Clone, Copy, Default)]
pub struct ServerErrors<C = ServerErrorsAsFailures> {
    classifier: C,
}

impl ServerErrors {
    /// Treats 5xx as failures.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl ServerErrors<StatusInRangeAsFailures> {
    /// Treats the statuses in this range as failures.
    ///
    /// # Panics
    ///
    /// If an end of the range is no status code: those are 100 to 999.
    #[must_use]
    pub fn within(statuses: RangeInclusive<u16>) -> Self {
        Self::by(StatusInRangeAsFailures::new(statuses))
    }
}

impl<C> ServerErrors<C> {
    /// Treats as failures what this classifier of tower-http does, which decides at the head.
    #[must_use]
    pub const fn by(classifier: C) -> Self {
        Self { classifier }
    }
}

impl<C, F, B, E> Classify<Response<B>, E> for ServerErrors<C>
where
    C: ClassifyResponse<FailureClass = F, ClassifyEos = NeverClassifyEos<F>> + Clone,
    E: 'static,
{
    fn classify(&self, result: &Result<Response<B>, E>) -> Outcome {
        let Ok(response) = result else { return Outcome::Failure };
        let verdict = match self.classifier.clone().classify_response(response) {
            ClassifiedResponse::Ready(verdict) => verdict,
            ClassifiedResponse::RequiresEos(never) => never.classify_eos(None),
        };
        match verdict {
            Ok(()) => Outcome::Success,
            Err(_) => Outcome::Failure,
        }
    }

    fn retry_after(&self, result: &Result<Response<B>, E>) -> Option<Duration> {
        match result {
            Ok(response) => retry_after(response.headers()),
            Err(error) => any_comes_back_after(error),
        }
    }
}

impl<C> fmt::Debug for ServerErrors<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServerErrors").field(&format_args!("{}", type_name::<C>())).finish()
    }
}
