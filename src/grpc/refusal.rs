use std::{error::Error, iter, time::Duration};

use tonic::{
    Code, Status,
    metadata::{MetadataMap, MetadataValue},
};
use tonic_types::{ErrorDetails, StatusExt};

use super::retry_after::PUSHBACK;
use crate::{circuit_breaker::Open, fallback::Elapsed};

/// The status of a call that was refused, or that was given up; `None` for any other error.
///
/// | error, or one among its sources | status |
/// |---|---|
/// | [`Open`] | `UNAVAILABLE`, with `google.rpc.RetryInfo` among its details and `grpc-retry-pushback-ms` in its metadata, rounded up; without them if the circuit waits for a hand |
/// | [`Elapsed`] | `DEADLINE_EXCEEDED`: the call may have run |
///
/// The message shows nothing of the inside. For a boxed error, pass `&*error`.
#[must_use]
pub fn refusal(error: &(dyn Error + 'static)) -> Option<Status> {
    const REFUSED: &str = "not available now";
    const GIVEN_UP: &str = "not answered in time";
    if let Some(open) = Open::find(error) {
        return Some(match open.retry_after() {
            Some(wait) => Status::with_error_details_and_metadata(
                Code::Unavailable,
                REFUSED,
                ErrorDetails::with_retry_info(Some(wait)),
                pushback(wait),
            ),
            None => Status::unavailable(REFUSED),
        });
    }
    let given_up =
        iter::successors(Some(error), |error| (*error).source()).any(|it| it.is::<Elapsed>());
    given_up.then(|| Status::deadline_exceeded(GIVEN_UP))
}

fn pushback(wait: Duration) -> MetadataMap {
    let milliseconds = wait.as_nanos().div_ceil(1_000_000);
    let milliseconds = i32::try_from(milliseconds).unwrap_or(i32::MAX);
    let mut metadata = MetadataMap::new();
    metadata.insert(PUSHBACK, MetadataValue::from(milliseconds));
    metadata
}
