use std::{error::Error, iter, time::Duration};

use tonic::{
    Code, Status,
    metadata::{MetadataMap, MetadataValue},
};
use tonic_types::{ErrorDetails, StatusExt};

use super::retry_after::PUSHBACK;
use crate::{
    circuit_breaker::Open,
    fallback::{
        Elapsed,
        cached::{FailedResponse, LeftAlone},
    },
    health::Unhealthy,
};

/// The status of a call that was refused, or that was given up; `None` for any other error.
///
/// | error, or one among its sources | status |
/// |---|---|
/// | [`Open`] | `UNAVAILABLE`, with `google.rpc.RetryInfo` among its details and `grpc-retry-pushback-ms` in its metadata, rounded up; without them if the circuit waits for a hand |
/// | [`Unhealthy`] | the same: when it may be healthy again, if its monitor knows |
/// | [`LeftAlone`] | the same |
/// | [`FailedResponse`] | `UNAVAILABLE` |
/// | [`Elapsed`] | `DEADLINE_EXCEEDED`: the call may have run |
///
/// The message shows nothing of the inside. For a boxed error, pass `&*error`.
#[must_use]
pub fn refusal(error: &(dyn Error + 'static)) -> Option<Status> {
    if let Some(open) = Open::find(error) {
        return Some(unavailable(open.retry_after()));
    }
    iter::successors(Some(error), |error| (*error).source()).find_map(|error| {
        if let Some(left) = error.downcast_ref::<LeftAlone>() {
            Some(unavailable(Some(left.retry_after())))
        } else if let Some(unhealthy) = error.downcast_ref::<Unhealthy>() {
            Some(unavailable(unhealthy.retry_after()))
        } else if error.is::<FailedResponse>() {
            Some(unavailable(None))
        } else {
            error.is::<Elapsed>().then(|| Status::deadline_exceeded("not answered in time"))
        }
    })
}

fn unavailable(retry_after: Option<Duration>) -> Status {
    const MESSAGE: &str = "not available now";
    match retry_after {
        Some(wait) => Status::with_error_details_and_metadata(
            Code::Unavailable,
            MESSAGE,
            ErrorDetails::with_retry_info(Some(wait)),
            pushback(wait),
        ),
        None => Status::unavailable(MESSAGE),
    }
}

fn pushback(wait: Duration) -> MetadataMap {
    let milliseconds = wait.as_nanos().div_ceil(1_000_000);
    let milliseconds = i32::try_from(milliseconds).unwrap_or(i32::MAX);
    let mut metadata = MetadataMap::new();
    metadata.insert(PUSHBACK, MetadataValue::from(milliseconds));
    metadata
}
