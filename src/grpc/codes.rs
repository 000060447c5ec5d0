use std::{any::Any, error::Error, fmt, iter, time::Duration};

use http::{HeaderMap, Response, StatusCode};
use tonic::{Code, Status};
use tower_http::classify::{ClassifiedResponse, ClassifyResponse};

use super::{CodesAtEnd, retry_after, retry_info};
use crate::{BoxError, Classify, Outcome, http::comes_back_after};

/// Treats as failures the gRPC codes that say that the backend did not do its work.
///
/// | code | default | why |
/// |---|---|---|
/// | `UNAVAILABLE`, `DEADLINE_EXCEEDED`, `INTERNAL`, `DATA_LOSS` | failure | the backend says so |
/// | `UNKNOWN` | failure | what servers make of an error that nobody handled, and clients of a response without a status |
/// | `RESOURCE_EXHAUSTED` | success | a quota of one caller, or a message of his that is too large, must not shut out the others; as `429` of HTTP |
/// | `UNIMPLEMENTED`, `PERMISSION_DENIED`, `UNAUTHENTICATED` | success | what was asked for, or by whom, is at fault |
/// | `CANCELLED`, `ABORTED` | success | the caller gave up, or lost a race |
/// | `INVALID_ARGUMENT`, `NOT_FOUND`, `ALREADY_EXISTS`, `FAILED_PRECONDITION`, `OUT_OF_RANGE`, `OK` | success | answers |
///
/// If a backend sheds load by `RESOURCE_EXHAUSTED`, as tonic's servers do, add
/// `.failure(Code::ResourceExhausted)`.
///
/// As a classifier of tower-http it judges whole responses, by `grpc-status` in the headers or, at
/// their end, in the trailers: [`AtEnd::by(Codes::new())`](crate::http::AtEnd::by). A response that
/// has none is judged by its HTTP status if that is not `200`, and else as `UNKNOWN`. As a
/// [`Classify`] it judges the results of calls above the codec, a [`Status`] or a boxed error:
/// there every error that is no `Status` and has none among its sources is a failure.
///
/// ```
/// use tonic::{Code, Status};
/// use tower_failover::{Classify, Outcome, grpc::Codes};
///
/// let codes = Codes::new().failure(Code::ResourceExhausted);
/// assert_eq!(codes.classify(&Err::<(), _>(Status::not_found("no such item"))), Outcome::Success);
/// assert_eq!(codes.classify(&Err::<(), _>(Status::resource_exhausted(""))), Outcome::Failure);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Codes {
    /// A bit for each code, by its number.
    failures: u32,
}

impl Codes {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self { failures: 0 }
            .failure(Code::Unknown)
            .failure(Code::DeadlineExceeded)
            .failure(Code::Internal)
            .failure(Code::Unavailable)
            .failure(Code::DataLoss)
    }

    /// Treats this code as a failure.
    ///
    /// # Panics
    ///
    /// If the code is `Ok`.
    #[must_use]
    pub const fn failure(self, code: Code) -> Self {
        assert!(!matches!(code, Code::Ok), "OK is no failure");
        Self { failures: self.failures | 1 << code as u32 }
    }

    /// Treats this code as a success of the backend.
    #[must_use]
    pub const fn success(self, code: Code) -> Self {
        Self { failures: self.failures & !(1 << code as u32) }
    }

    /// Whether this code is a failure.
    #[must_use]
    pub const fn is_failure(self, code: Code) -> bool {
        self.failures & 1 << code as u32 != 0
    }

    pub(super) fn judge(self, code: Code) -> Result<(), Code> {
        if self.is_failure(code) { Err(code) } else { Ok(()) }
    }

    fn outcome(self, code: Code) -> Outcome {
        if self.is_failure(code) { Outcome::Failure } else { Outcome::Success }
    }
}

/// As [`Codes::new`].
impl Default for Codes {
    fn default() -> Self {
        Self::new()
    }
}

impl ClassifyResponse for Codes {
    type FailureClass = Code;
    type ClassifyEos = CodesAtEnd;

    fn classify_response<B>(self, response: &Response<B>) -> ClassifiedResponse<Code, CodesAtEnd> {
        let code = match status_in(response.headers()) {
            Some(code) => code,
            None if response.status() == StatusCode::OK => {
                return ClassifiedResponse::RequiresEos(CodesAtEnd::new(self));
            }
            None => code_of(response.status()),
        };
        ClassifiedResponse::Ready(self.judge(code))
    }

    fn classify_error<E>(self, error: &E) -> Code
    where
        E: fmt::Display + 'static,
    {
        let error: &dyn Any = error;
        error.downcast_ref::<Status>().map_or(Code::Unknown, Status::code)
    }
}

impl<T> Classify<T, Status> for Codes {
    fn classify(&self, result: &Result<T, Status>) -> Outcome {
        match result {
            Ok(_) => Outcome::Success,
            Err(status) => self.outcome(status.code()),
        }
    }

    fn retry_after(&self, result: &Result<T, Status>) -> Option<Duration> {
        retry_after_of(result.as_ref().err()?)
    }
}

impl<T> Classify<T, BoxError> for Codes {
    fn classify(&self, result: &Result<T, BoxError>) -> Outcome {
        match result {
            Ok(_) => Outcome::Success,
            Err(error) => {
                status_of(&**error).map_or(Outcome::Failure, |it| self.outcome(it.code()))
            }
        }
    }

    fn retry_after(&self, result: &Result<T, BoxError>) -> Option<Duration> {
        let error = &**result.as_ref().err()?;
        match status_of(error) {
            Some(status) => retry_after_of(status),
            None => comes_back_after(error),
        }
    }
}

/// The status in an error: the error itself, or one among its sources.
fn status_of<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Status> {
    iter::successors(Some(error), |error| (*error).source()).find_map(<dyn Error>::downcast_ref)
}

fn retry_after_of(status: &Status) -> Option<Duration> {
    let asked_for = retry_after(status.metadata().as_ref());
    asked_for.max(retry_info::delay(status.details()))
}

/// The code in these headers or trailers. One that cannot be read is `UNKNOWN`.
pub(super) fn status_in(headers: &HeaderMap) -> Option<Code> {
    Some(Code::from_bytes(headers.get("grpc-status")?.as_bytes()))
}

/// The code of a response that is none of gRPC's, by `http-grpc-status-mapping.md`.
fn code_of(status: StatusCode) -> Code {
    match status {
        StatusCode::BAD_REQUEST => Code::Internal,
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::FORBIDDEN => Code::PermissionDenied,
        StatusCode::NOT_FOUND => Code::Unimplemented,
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Code::Unavailable,
        _ => Code::Unknown,
    }
}
