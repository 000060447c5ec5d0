use std::{error::Error, iter, time::Duration};

use tonic::{
    Code, Status,
    metadata::{MetadataMap, MetadataValue},
};
use tonic_types::{ErrorDetails, StatusExt};

use super::retry_after::PUSHBACK;
use crate::{
    circuit_breaker::Open,
    failover::{Elapsed as Late, MayHaveRun, NoBackend},
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
/// | [`NoBackend`] | `UNAVAILABLE`, the same if it is known when one may be back |
/// | [`Elapsed`], [that of an attempt](Late) | `DEADLINE_EXCEEDED`: the call may have run |
///
/// For the same reason nothing below a [`MayHaveRun`] is answered by `UNAVAILABLE`.
///
/// The message shows nothing of the inside. For a boxed error, pass `&*error`.
#[must_use]
pub fn refusal(error: &(dyn Error + 'static)) -> Option<Status> {
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
            Some(unavailable(None))
        } else {
            is_late(error).then(too_late)
        }
    })
}

fn too_late() -> Status {
    Status::deadline_exceeded("not answered in time")
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
