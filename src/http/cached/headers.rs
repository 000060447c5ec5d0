//! The headers of a response, as they are kept.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// For one connection only, and so of no use to others: RFC 9110, section 7.6.1, and RFC 9111,
/// section 3.1. Set anew is `Age`.
const NOT_KEPT: [&str; 10] = [
    "age",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// What one more header costs, besides its text.
const OWN: usize = 32;

/// How long they are. `None` if longer than `limit`.
pub(super) fn bytes(headers: &HeaderMap, limit: usize) -> Option<usize> {
    let mut bytes = 0_usize;
    for (name, value) in headers {
        bytes += name.as_str().len() + value.len() + OWN;
        if bytes > limit {
            return None;
        }
    }
    Some(bytes)
}

/// The `Content-Length`, if there is one; `None` if it is not clear.
pub(super) fn length(headers: &HeaderMap) -> Option<Option<u64>> {
    let mut values = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(first) = values.next() else { return Some(None) };
    if values.any(|other| other != first) {
        return None;
    }
    let text = first.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    text.parse().ok().map(Some)
}

/// Whether trailers may be shown to others. What is for one caller or for one connection only, or
/// says how to keep the response, has no place among them: they are read when all that is decided.
pub(super) fn are_for_everybody(trailers: &HeaderMap) -> bool {
    const NEVER: [HeaderName; 5] = [
        header::CACHE_CONTROL,
        header::CONTENT_LENGTH,
        header::SET_COOKIE,
        header::TRAILER,
        header::VARY,
    ];
    trailers.keys().all(|name| !NOT_KEPT.contains(&name.as_str()) && !NEVER.contains(name))
}

/// A copy in memory of its own, since a value may hold on to all that was read with it; with a place
/// for `Age`. `None` if it is not clear what is for one connection only, or if there are more than a
/// map has room for.
pub(super) fn to_keep(headers: &HeaderMap, bytes: usize) -> Option<HeaderMap> {
    let mut named = Vec::new();
    for line in headers.get_all(header::CONNECTION) {
        for name in line.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if !name.is_empty() {
                named.push(HeaderName::from_bytes(name).ok()?);
            }
        }
    }
    let is_kept = |name: &HeaderName| !NOT_KEPT.contains(&name.as_str()) && !named.contains(name);
    let mut text = BytesMut::with_capacity(bytes);
    headers.values().for_each(|value| text.extend_from_slice(value.as_bytes()));
    let mut text = text.freeze();
    // With room for `Age` and `Cache-Status`.
    let mut kept = HeaderMap::try_with_capacity(headers.keys_len() + 2).ok()?;
    for (name, value) in headers {
        let copy = copy(value, text.split_to(value.len()))?;
        if is_kept(name) {
            kept.try_append(name, copy).ok()?;
        }
    }
    kept.try_insert(header::AGE, HeaderValue::from_static("0")).ok()?;
    Some(kept)
}

fn copy(value: &HeaderValue, text: Bytes) -> Option<HeaderValue> {
    let mut copy = HeaderValue::from_maybe_shared(text).ok()?;
    copy.set_sensitive(value.is_sensitive());
    Some(copy)
}
