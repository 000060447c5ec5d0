use std::{fmt, time::Duration};

use http::{HeaderMap, Method, Request, header::CACHE_CONTROL};

use super::directives::Directives;
use crate::{clock, logic::Moment};

/// What [`Pages`](super::Pages) remember of a request while its call runs.
pub struct Note {
    pub(super) is_head: bool,
    pub(super) headers: HeaderMap,
    pub(super) began: Moment,
    /// The request does not want what is stale for longer.
    pub(super) most_stale: Option<Duration>,
}

impl Note {
    pub(super) fn of<B>(request: &Request<B>) -> Self {
        let headers = request.headers().clone();
        let (is_head, most_stale) = (*request.method() == Method::HEAD, most_stale(&headers));
        Self { is_head, headers, began: clock::now(), most_stale }
    }
}

/// How stale the answer to a failed call may be at most.
pub(super) fn most_stale(request: &HeaderMap) -> Option<Duration> {
    if !request.contains_key(CACHE_CONTROL) {
        return None;
    }
    let Directives { max_stale, stale_if_error, .. } = Directives::read(request);
    match (max_stale, stale_if_error) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Says nothing of what could be secret.
impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Note").field("most_stale", &self.most_stale).finish_non_exhaustive()
    }
}
