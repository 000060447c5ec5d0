use std::convert::Infallible;

use http::Response;
use tonic::{Code, Status};

use super::refusal;
use crate::{
    BoxError,
    failover::MayHaveRun,
    http::{Answer, AnswerRefusalsLayer},
};

/// Makes every error a [`Status`], as tonic's clients do, and refusals those of [`refusal`].
///
/// The error stays among the sources of the status, which are not sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AsStatus;

/// Answers every error with a response that has a status in its headers and no body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AsResponse;

impl Answer for AsStatus {
    type Error = Status;

    fn answer(&self, error: BoxError) -> Result<Response<()>, Status> {
        let Some(mut status) = refusal(&*error) else { return Err(Status::from_error(error)) };
        status.set_source(error.into());
        Err(status)
    }
}

impl Answer for AsResponse {
    type Error = Infallible;

    fn answer(&self, error: BoxError) -> Result<Response<()>, Infallible> {
        let status = refusal(&*error).unwrap_or_else(|| without_message(error));
        Ok(status.into_http())
    }
}

/// A status is meant for the caller; of any other error no more than its code is shown.
fn without_message(error: BoxError) -> Status {
    let error = match error.downcast::<MayHaveRun>() {
        Ok(doubtful) => doubtful.into_inner(),
        Err(error) => error,
    };
    match error.downcast::<Status>() {
        Ok(status) => *status,
        Err(error) => {
            let code = Status::try_from_error(error).map_or(Code::Internal, |it| it.code());
            Status::new(code, "")
        }
    }
}

/// For gRPC clients and servers (feature `grpc`).
impl AnswerRefusalsLayer {
    /// Makes every error a [`Status`], refusals by [`refusal`]: for clients.
    ///
    /// Other errors become what tonic's clients make of them, with their messages.
    #[must_use]
    pub const fn for_grpc() -> AnswerRefusalsLayer<AsStatus> {
        AnswerRefusalsLayer::by(AsStatus)
    }
}

/// For gRPC clients and servers (feature `grpc`).
impl AnswerRefusalsLayer<AsStatus> {
    /// Answers every error with a status in the headers of a response, so that none is left: for
    /// servers. Of an error that is no [`Status`] only the code is shown.
    #[must_use]
    pub const fn infallible(self) -> AnswerRefusalsLayer<AsResponse> {
        AnswerRefusalsLayer::by(AsResponse)
    }
}
