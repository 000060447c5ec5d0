use std::{error::Error, fmt::Write, iter};

use axum::body::Body;
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use tower_failover::BoxError;

use crate::{
    caller::Caller,
    origin::{FIRST, SERIAL, USER},
};

/// All that a caller sees of an answer.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) status: Option<StatusCode>,
    /// Whose page it is, if the origin wrote it.
    pub(crate) user: Option<String>,
    pub(crate) serial: Option<u64>,
    /// Whether it answers the request of the first of a crowd.
    pub(crate) is_first: bool,
    /// What the cache says of it.
    pub(crate) cache_status: String,
    text: String,
}

impl Shown {
    pub(crate) async fn of(result: Result<Response<Body>, BoxError>) -> Self {
        match result {
            Ok(response) => Self::page(response).await,
            Err(error) => Self::error(&*error),
        }
    }

    async fn page(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let mut text = format!("{:?}", parts.extensions);
        for (name, value) in &parts.headers {
            writeln!(text, "{name}: {}", value.to_str().unwrap()).unwrap();
        }
        let header = |name: &str| parts.headers.get(name).map(|it| it.to_str().unwrap().to_owned());
        match body.collect().await {
            Ok(body) => text += std::str::from_utf8(&body.to_bytes()).unwrap(),
            Err(error) => write!(text, "{error:?}").unwrap(),
        }
        Self {
            status: Some(parts.status),
            user: header(USER.as_str()),
            serial: header(SERIAL.as_str()).map(|serial| serial.parse().unwrap()),
            is_first: parts.headers.contains_key(FIRST),
            cache_status: header("cache-status").unwrap_or_default(),
            text,
        }
    }

    fn error(error: &(dyn Error + 'static)) -> Self {
        let chain = iter::successors(Some(error), |error| (*error).source());
        let text = chain.map(|error| format!("{error} {error:?}")).collect();
        Self {
            status: None,
            user: None,
            serial: None,
            is_first: false,
            cache_status: String::new(),
            text,
        }
    }

    pub(crate) fn has_body_of(&self, user: &str) -> bool {
        self.text.ends_with(&format!("The page of {user}"))
    }

    /// Whether there is a trace of another user in it.
    pub(crate) fn betrays_another(&self, caller: Caller) -> bool {
        caller.others().any(|other| self.text.contains(other))
    }
}
