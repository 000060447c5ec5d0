use std::{error::Error, iter, time::Duration};

use http::{HeaderValue, Response, StatusCode, header::RETRY_AFTER};

use crate::{
    BoxError,
    circuit_breaker::Open,
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
/// | [`Elapsed`] | `504`: the call may have run, and a `503` would invite to repeat it |
///
/// The body is empty: nothing of the inside shows. For a boxed error, pass `&*error`.
#[must_use]
pub fn refusal<B: Default>(error: &(dyn Error + 'static)) -> Option<Response<B>> {
    if let Some(open) = Open::find(error) {
        return Some(unavailable(open.retry_after()));
    }
    iter::successors(Some(error), |error| (*error).source()).find_map(|error| {
        if let Some(left) = error.downcast_ref::<LeftAlone>() {
            Some(unavailable(Some(left.retry_after())))
        } else if let Some(unhealthy) = error.downcast_ref::<Unhealthy>() {
            Some(unavailable(unhealthy.retry_after()))
        } else if error.is::<FailedResponse>() {
            Some(with_status(StatusCode::BAD_GATEWAY))
        } else {
            error.is::<Elapsed>().then(|| with_status(StatusCode::GATEWAY_TIMEOUT))
        }
    })
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
