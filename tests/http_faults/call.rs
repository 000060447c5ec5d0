use std::{
    error::Error,
    pin::pin,
    time::{Duration, Instant},
};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use http_body_util::{BodyExt, Full};
use tokio::time::{sleep_until, timeout_at};
use tower::ServiceExt;
use tower_failover::{
    circuit_breaker::Open,
    fallback::{Elapsed, Source},
    http::cached::Staleness,
};

use crate::{
    page::{Answer, Key},
    stack::Stack,
};

/// How long a caller of these tests takes for a call with its body.
pub(crate) const PATIENCE: Duration = Duration::from_millis(450);
/// When he gives a head up that ought to have come long ago.
const LONGEST: Duration = Duration::from_secs(5);

/// One call, as its caller saw it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) key: Key,
    pub(crate) began: Instant,
    /// When the head came, or the error.
    pub(crate) head: Instant,
    pub(crate) ended: Instant,
    pub(crate) end: End,
}

#[derive(Clone, Debug)]
pub(crate) enum End {
    Page {
        told: Told,
        body: Read,
    },
    /// The origin's own 503.
    Unavailable,
    /// The circuit was open.
    Refused,
    /// Our layers' time ran out.
    Elapsed,
    Failed(#[allow(dead_code, reason = "printed")] String),
    /// Not even a head came.
    Hung,
}

/// What became of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    Whole(Answer),
    /// It ended as if it were whole, and was not.
    Wrong(usize),
    /// It ended in an error.
    Cut,
    /// It did not end in the time that its caller had.
    GivenUp,
}

/// What a head says of where the page comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// `None`: from the origin.
    pub(crate) age: Option<Duration>,
    pub(crate) is_stale: bool,
    pub(crate) age_header: Option<u64>,
    pub(crate) cache_status: String,
}

impl Call {
    pub(crate) fn took(&self) -> Duration {
        self.head - self.began
    }

    /// A whole answer of the origin to this call.
    pub(crate) fn is_primary(&self) -> bool {
        matches!(&self.end, End::Page { told, body: Read::Whole(_) } if told.age.is_none())
    }

    pub(crate) fn is_stale(&self) -> bool {
        matches!(&self.end, End::Page { told, .. } if told.is_stale)
    }

    pub(crate) fn answer(&self) -> Option<Answer> {
        match &self.end {
            End::Page { body: Read::Whole(answer), .. } => Some(*answer),
            _ => None,
        }
    }
}

pub(crate) async fn call(stack: Stack, port: u16, key: Key) -> Call {
    let request = Request::get(format!("http://127.0.0.1:{port}{}", key.path()))
        .header("x-user", key.user)
        .body(Full::<Bytes>::default())
        .unwrap();
    let began = Instant::now();
    let result = timeout_at((began + LONGEST).into(), stack.oneshot(request)).await;
    let head = Instant::now();
    let end = match result {
        Ok(Ok(response)) if response.status().is_server_error() => {
            let _ = timeout_at((began + PATIENCE).into(), response.into_body().collect()).await;
            End::Unavailable
        }
        Ok(Ok(response)) => {
            let told = Told::of(&response);
            End::Page { told, body: read(response.into_body(), began + PATIENCE).await }
        }
        Ok(Err(error)) if Open::find(&*error).is_some() => End::Refused,
        Ok(Err(error)) if has_elapsed(&*error) => End::Elapsed,
        Ok(Err(error)) => End::Failed(error.to_string()),
        Err(_) => End::Hung,
    };
    Call { key, began, head, ended: Instant::now(), end }
}

impl Told {
    fn of(response: &Response<Body>) -> Self {
        let staleness = response.extensions().get::<Staleness>();
        let text = |headers: &HeaderMap, name| {
            headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned()
        };
        Self {
            age: staleness.and_then(Staleness::age),
            is_stale: staleness
                .is_some_and(|staleness| matches!(staleness.source(), Source::Stale { .. })),
            age_header: text(response.headers(), header::AGE.as_str()).parse().ok(),
            cache_status: text(response.headers(), "cache-status"),
        }
    }
}

async fn read(body: Body, until: Instant) -> Read {
    let mut patience = pin!(sleep_until(until.into()));
    tokio::select! {
        biased;
        body = body.collect() => match body {
            Ok(body) => {
                let body = body.to_bytes();
                Answer::read(&body).map_or(Read::Wrong(body.len()), Read::Whole)
            }
            Err(_) => Read::Cut,
        },
        () = &mut patience => Read::GivenUp,
    }
}

fn has_elapsed(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| (*error).source()).any(|error| error.is::<Elapsed>())
}
