use std::{any::Any, fmt};

use http::HeaderMap;
use tonic::{Code, Status};
use tower_http::classify::ClassifyEos;

use super::{Codes, codes::status_in};

/// Judges the end of a response by the `grpc-status` in its trailers; none there is `UNKNOWN`.
#[derive(Clone, Copy, Debug)]
pub struct CodesAtEnd {
    codes: Codes,
}

impl CodesAtEnd {
    pub(super) const fn new(codes: Codes) -> Self {
        Self { codes }
    }
}

impl ClassifyEos for CodesAtEnd {
    type FailureClass = Code;

    fn classify_eos(self, trailers: Option<&HeaderMap>) -> Result<(), Code> {
        self.codes.judge(trailers.and_then(status_in).unwrap_or(Code::Unknown))
    }

    fn classify_error<E>(self, error: &E) -> Code
    where
        E: fmt::Display + 'static,
    {
        let error: &dyn Any = error;
        error.downcast_ref::<Status>().map_or(Code::Unknown, Status::code)
    }
}
