use std::convert::Infallible;

use http::Response;

use super::refusal::{any_error, refusal};
use crate::BoxError;

/// Which errors become responses, and which stay errors.
///
/// Implemented by [`RefusalsOnly`] and [`Everything`], and for gRPC in the module of that name.
pub trait Answer {
    /// The errors that stay.
    type Error;

    /// Answers an error by a response without a body.
    ///
    /// # Errors
    ///
    /// Those that stay errors.
    fn answer(&self, error: BoxError) -> Result<Response<()>, Self::Error>;
}

/// Answers what [`refusal`] does, and passes other errors on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RefusalsOnly;

/// Answers what [`refusal`] does, and other errors with `500`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Everything;

impl Answer for RefusalsOnly {
    type Error = BoxError;

    fn answer(&self, error: BoxError) -> Result<Response<()>, BoxError> {
        refusal(&*error).ok_or(error)
    }
}

impl Answer for Everything {
    type Error = Infallible;

    fn answer(&self, error: BoxError) -> Result<Response<()>, Infallible> {
        Ok(any_error(&*error))
    }
}
