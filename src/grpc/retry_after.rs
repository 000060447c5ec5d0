use std::time::Duration;

use http::HeaderMap;
use tonic::metadata::MetadataMap;

use super::retry_info;

pub(super) const PUSHBACK: &str = "grpc-retry-pushback-ms";
const DETAILS: &str = "grpc-status-details-bin";

/// The time for which a server asks to be left alone, from the headers or trailers of a failure.
///
/// Reads `grpc-retry-pushback-ms` ([gRFC A6]), `google.rpc.RetryInfo` among the details of the
/// status, and `Retry-After`; the longest counts. What cannot be read says nothing, nor does a
/// negative pushback, which asks the caller not to repeat the call.
///
/// [gRFC A6]: https://github.com/grpc/proposal/blob/master/A6-client-retries.md#pushback
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    pushback(headers).max(retry_info(headers)).max(crate::http::retry_after(headers))
}

fn pushback(headers: &HeaderMap) -> Option<Duration> {
    let milliseconds: i32 = headers.get(PUSHBACK)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_millis(u64::try_from(milliseconds).ok()?))
}

/// Not by `Status::from_header_map`, which panics on details that are not base64.
fn retry_info(headers: &HeaderMap) -> Option<Duration> {
    let details = HeaderMap::from_iter([(DETAILS.parse().ok()?, headers.get(DETAILS)?.clone())]);
    let details = MetadataMap::from_headers(details);
    retry_info::delay(&details.get_bin(DETAILS)?.to_bytes().ok()?)
}
