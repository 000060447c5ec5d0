use std::{error::Error, iter, time::Duration};

use http::{HeaderValue, Response, StatusCode, header::RETRY_AFTER};

use crate::{
    BoxError,
    circuit_breaker::Open,
    failover::{Elapsed as Late, MayHaveRun, NoBackend},
    fallback::{
        Elapsed,
        cached::{FailedResponse, LeftAlone},
    },
    health::Unhealthy,
};

/// The response to a call that was refused, or that was given up; `None` for any other error.
///
/// | error, or one among its sources | response |
/// |---|---|
/// | [`Open`] | `503`, with `Retry-After` in whole seconds, rounded up, at least 1; without it if the circuit waits for a hand |
/// | [`Unhealthy`] | the same: when it may be healthy again, if its monitor knows |
/// | [`LeftAlone`] | the same |
/// | [`FailedResponse`] | `502` |
/// | [`NoBackend`] | `503`, with `Retry-After` if it is known when one may be back |
/// | [`Elapsed`], [that of an attempt](Late) | `504`: the call may have run, and a `503` would invite to repeat it |
///
/// For the same reason nothing below a [`MayHaveRun`] is answered by `503` or `502`.
///
/// The body is empty: nothing of the inside shows. For a boxed error, pass `&*error`.
#[must_use]
pub fn refusal<B: Default>(error: &(dyn Error + 'static)) -> Option<Response<B>> {
    let sources = || iter::successors(Some(error), |error| (*error).source());
    let is_late = |error: &(dyn Error + 'static)| error.is::<Elapsed>() || error.is::<Late>();
    if sources().any(|error| error.is::<MayHaveRun>()) {
        return sources().any(is_late).then(too_late);
    }
    if let Some(open) = Open::find(error) {
        return Some(unavailable(open.retry_after()));
    }
    sources().find_map(|error| {
        if let Some(left) = error.downcast_ref::<LeftAlone>() {
            Some(unavailable(Some(left.retry_after())))
        } else if let Some(unhealthy) = error.downcast_ref::<Unhealthy>() {
            Some(unavailable(unhealthy.retry_after()))
        } else if let Some(nobody) = error.downcast_ref::<NoBackend>() {
            Some(unavailable(nobody.retry_after()))
        } else if error.is::<FailedResponse>() {
            Some(with_status(StatusCode::BAD_GATEWAY))
        } else {
            is_late(error).then(too_late)
        }
    })
}

fn too_late<B: Default>() -> Response<B> {
    with_status(StatusCode::GATEWAY_TIMEOUT)
}

fn unavailable<B: Default>(retry_after: Option<Duration>) -> Response<B> {
    let mut response = with_status(StatusCode::SERVICE_UNAVAILABLE);
    if let Some(wait) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
    }
    response
}

/// The response to any error: a [`refusal`], or `500`. A handler for axum's `HandleErrorLayer`.
///
/// ```
/// use axum::{Router, error_handling::HandleErrorLayer, routing::get};
/// use tower::ServiceBuilder;
/// use tower_failover::{circuit_breaker::{Circuit, CircuitBreakerLayer}, http::handle_error};
///
/// let app: Router = Router::new().route("/", get(|| async { "hello" })).layer(
///     ServiceBuilder::new()
///         .layer(HandleErrorLayer::new(handle_error))
///         .layer(CircuitBreakerLayer::for_http(Circuit::new("app"))),
/// );
/// # let _ = app;
/// ```
pub async fn handle_error(error: BoxError) -> Response<String> {
    any_error(&*error)
}

pub(super) fn any_error<B: Default>(error: &(dyn Error + 'static)) -> Response<B> {
    refusal(error).unwrap_or_else(|| with_status(StatusCode::INTERNAL_SERVER_ERROR))
}

fn with_status<B: Default>(status: StatusCode) -> Response<B> {
    let mut response = Response::new(B::default());
    *response.status_mut() = status;
    response
}

fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1)
}
