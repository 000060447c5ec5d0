//! What http-cache-semantics is asked, in words that it cannot misread: `Cache-Control` only, made
//! anew from what was read here.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_cache_semantics::{BeforeRequest, CacheOptions, CachePolicy};

use super::directives::Directives;

const SHARED: CacheOptions = CacheOptions {
    shared: true,
    cache_heuristic: 0.0,
    immutable_min_time_to_live: Duration::ZERO,
    ignore_cargo_cult: false,
};

/// How long a response is fresh. `None` if it may not be kept.
///
/// Whether an answer to an `Authorization` is for others too is asked only if it `is_credited`.
pub(super) fn fresh_for(
    method: &Method,
    is_credited: bool,
    status: StatusCode,
    says: &Directives,
) -> Option<Duration> {
    let mut request = Request::new(());
    *request.method_mut() = method.clone();
    if is_credited {
        request.headers_mut().insert(header::AUTHORIZATION, HeaderValue::from_static("somebody"));
    }
    let policy = policy(&request, status, says);
    policy.is_storable().then(|| policy.time_to_live(SystemTime::UNIX_EPOCH))
}

/// Whether what is fresh for so long and is so old now is good enough for a request that says this.
/// It may say `no-cache` no more.
pub(super) fn is_good_enough(fresh_for: Duration, age: Duration, request: &HeaderMap) -> bool {
    let asked = Directives::read(request);
    if asked.max_age.is_none() && asked.min_fresh.is_none() {
        return true;
    }
    let says = Directives { max_age: Some(fresh_for), ..Directives::default() };
    let mut asking = Request::new(());
    write(asking.headers_mut(), &asked);
    let policy = policy(&asking, StatusCode::OK, &says);
    let now = SystemTime::UNIX_EPOCH + age.min(super::directives::LONGEST);
    matches!(policy.before_request(&asking, now), BeforeRequest::Fresh(_))
}

fn policy(request: &Request<()>, status: StatusCode, says: &Directives) -> CachePolicy {
    let mut response = Response::new(());
    *response.status_mut() = status;
    write(response.headers_mut(), says);
    CachePolicy::new_options(request, &response, SystemTime::UNIX_EPOCH, SHARED)
}

/// Without those of which http-cache-semantics is not to judge: who has to be asked again before
/// something stale is served, and by that, that an answer to an `Authorization` may be shared.
fn write(headers: &mut HeaderMap, says: &Directives) {
    let words = [
        ("no-store", says.no_store),
        ("no-cache", says.no_cache),
        ("private", says.private),
        ("public", says.public),
    ];
    let times = [
        ("max-age", says.max_age),
        ("s-maxage", says.s_maxage),
        ("min-fresh", says.min_fresh),
        ("max-stale", says.max_stale),
    ];
    for (word, _) in words.iter().filter(|(_, is_said)| *is_said) {
        headers.append(header::CACHE_CONTROL, HeaderValue::from_static(word));
    }
    for (name, time) in times {
        if let Some(time) = time {
            let text = format!("{name}={}", time.as_secs());
            let value = HeaderValue::try_from(text).expect("a name and a number are a header");
            headers.append(header::CACHE_CONTROL, value);
        }
    }
}
