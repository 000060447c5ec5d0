use std::{any::type_name, fmt, time::Duration};

use http::{HeaderMap, Response, header::CONTENT_LENGTH};
use http_body::Body;
use tower_http::classify::{ClassifiedResponse, ClassifyResponse, ServerErrorsAsFailures};

use super::{SettledBody, refused::any_comes_back_after, retry_after};
use crate::{
    Outcome,
    gate::{Held, Pass, Settle},
};

/// Settles a pass with the end of the response's body, on what a classifier of tower-http says.
///
/// | what happens | the pass |
/// |---|---|
/// | the call ends in an error | failed |
/// | the head is a failure | failed, at once |
/// | the body has ended with the head | settled at once, on head and missing trailers |
/// | the body ends | succeeded, unless the classifier finds a failure in the trailers |
/// | the body ends in an error, or is cut | failed, whatever the head said |
/// | polling the body panics | failed |
/// | the body ends after some bytes, but fewer than its `Content-Length` says | failed |
/// | the body is dropped after as many bytes as its `Content-Length` says, and no classifier waits for trailers | succeeded |
/// | the body is dropped half-way | cancelled: the circuit's [`Cancelled`] policy decides |
///
/// hyper's client takes a stream of HTTP/2 that was reset without an error for one that has ended,
/// and over HTTP/1.0 the end of the connection: without a `Content-Length` a cut is not seen there.
/// hyper's server drops a body over HTTP/1 once the declared bytes are through.
///
/// A server drops the body of a response to `HEAD` unread, unless it is empty: that is cancelled too.
///
/// The time of a call runs to that moment, so a slow body makes a slow call, and a half-open
/// circuit waits for the end of its probe's body, within its probe deadline. A stream that never
/// ends is better judged [at the head](super::ServerErrors).
///
/// [`Cancelled`]: crate::circuit_breaker::Cancelled
#[derive(Clone, Copy)]
pub struct AtEnd<C = ServerErrorsAsFailures> {
    classifier: C,
    retry_after: RetryAfter,
}

/// Reads how long a backend asks to be left alone, from its headers or trailers.
pub(super) type RetryAfter = fn(&HeaderMap) -> Option<Duration>;

impl AtEnd {
    /// Treats 5xx as failures.
    #[must_use]
    pub fn new() -> Self {
        Self::by(ServerErrorsAsFailures::new())
    }
}

impl<C> AtEnd<C> {
    /// Treats as failures what this classifier of tower-http does, at the head or at the end.
    #[must_use]
    pub const fn by(classifier: C) -> Self {
        Self { classifier, retry_after }
    }

    /// Reads by this function how long the backend asks to be left alone, from the headers or the
    /// trailers of a failure. Default: [`retry_after`].
    #[must_use]
    pub fn retry_after(self, retry_after: fn(&HeaderMap) -> Option<Duration>) -> Self {
        Self { classifier: self.classifier, retry_after }
    }
}

impl Default for AtEnd {
    fn default() -> Self {
        Self::new()
    }
}

impl<C, P, B, E> Settle<P, Response<B>, E> for AtEnd<C>
where
    C: ClassifyResponse,
    P: Pass,
    B: Body,
    E: 'static,
{
    type Output = Response<SettledBody<B, P, C::ClassifyEos>>;

    fn settle(self, pass: P, result: Result<Response<B>, E>) -> Result<Self::Output, E> {
        let response = match result {
            Ok(response) => response,
            Err(error) => {
                pass.settle(Outcome::Failure, any_comes_back_after(&error));
                return Err(error);
            }
        };
        let eos = match self.classifier.classify_response(&response) {
            ClassifiedResponse::Ready(Ok(())) => None,
            ClassifiedResponse::RequiresEos(eos) => Some(eos),
            ClassifiedResponse::Ready(Err(_)) => {
                pass.settle(Outcome::Failure, (self.retry_after)(response.headers()));
                return Ok(response.map(SettledBody::settled));
            }
        };
        let held = Held::new(pass);
        let length = content_length(response.headers());
        Ok(response.map(|body| SettledBody::unsettled(body, held, eos, self.retry_after, length)))
    }
}

/// `None` also if it is not clear.
fn content_length(headers: &HeaderMap) -> Option<u64> {
    let mut values = headers.get_all(CONTENT_LENGTH).iter();
    let length = values.next()?.to_str().ok()?.parse().ok();
    length.filter(|_| values.next().is_none())
}

impl<C> fmt::Debug for AtEnd<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AtEnd").field(&format_args!("{}", type_name::<C>())).finish()
    }
}
