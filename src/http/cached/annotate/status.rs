//! `Cache-Status`, RFC 9211.

use std::fmt::Write as _;

use http::{HeaderName, HeaderValue, Response};

use crate::fallback::{Served, Source};
use crate::http::cached::{Staleness, directives::is_token, forwarded::Forwarded};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

pub(super) fn annotate<B>(served: Served<Response<B>>, name: &str) -> Response<B> {
    let below = served.value().extensions().get::<Staleness>();
    let staleness = Staleness::served(&served, below);
    let mut response = served.into_inner();
    // It was set for this layer: one above is not to take it for its own.
    let mark = response.extensions_mut().remove::<Forwarded>();
    let status = match staleness.source() {
        Source::Primary => primary(&response, mark, name),
        Source::Cache { .. }
        | Source::Stale { .. }
        | Source::Value
        | Source::Function
        | Source::Backup
        | Source::Custom(_) => {
            let status = fallback(&staleness, name);
            if response.extensions().get() != Some(&staleness) {
                match response.extensions_mut().get_mut::<Staleness>() {
                    Some(below) => *below = staleness,
                    None => drop(response.extensions_mut().insert(staleness)),
                }
            }
            status
        }
    };
    let status = HeaderValue::try_from(status).expect("tokens, numbers and quoted text");
    // A response with as many headers as there can be is left as it is.
    let _ = response.headers_mut().try_append(CACHE_STATUS, status);
    response
}

/// What the inner service responded with. Without a mark it was no answer to learn from, or it comes
/// from a cache below.
fn primary<B>(response: &Response<B>, mark: Option<Forwarded>, name: &str) -> String {
    let below = response.extensions().get::<Staleness>();
    match mark {
        _ if below.is_some_and(Staleness::is_stale) => format!("{name}; fwd=stale"),
        Some(Forwarded { is_kept: true }) => format!("{name}; fwd=miss; stored"),
        Some(Forwarded { is_kept: false }) => format!("{name}; fwd=miss"),
        None if below.is_some() || response.status().is_server_error() => {
            format!("{name}; fwd=miss")
        }
        None => format!("{name}; fwd=bypass"),
    }
}

fn fallback(staleness: &Staleness, name: &str) -> String {
    let mut status = String::with_capacity(name.len() + 48);
    let how = match staleness.source() {
        Source::Cache { .. } => "hit",
        Source::Stale { .. } => "fwd=stale",
        Source::Primary | Source::Value | Source::Function | Source::Backup | Source::Custom(_) => {
            "fwd=miss"
        }
    };
    let _ = write!(status, "{name}; {how}");
    if let Some(ttl) = staleness.ttl() {
        let _ = write!(status, "; ttl={ttl}");
    }
    if !staleness.is_fresh() {
        let _ = write!(status, "; detail={}", item(staleness.strategy()));
    }
    status
}

/// A token if it can be one, else a quoted string: RFC 8941, section 3.3. What fits in neither
/// becomes a question mark.
pub(super) fn item(text: &str) -> String {
    let mut bytes = text.bytes();
    let is_token = bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| is_token(byte) || byte == b':' || byte == b'/');
    if is_token {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            ' '..='~' => quoted.push(letter),
            _ => quoted.push('?'),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests;
