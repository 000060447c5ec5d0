use http::{HeaderMap, HeaderValue, Method, Request};

use super::directives::Directives;

/// What a request asks of a cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// It says who it comes from.
    pub(super) has_credentials: bool,
    /// It says how good an answer has to be.
    pub(super) has_directives: bool,
}

impl Asked {
    /// `None` if nothing that is kept may answer it, and its answer may not be kept.
    pub(super) fn of<B>(request: &Request<B>) -> Option<Self>
    where
        B: http_body::Body,
    {
        let is_read = *request.method() == Method::GET || *request.method() == Method::HEAD;
        if !is_read || !request.body().is_end_stream() {
            return None;
        }
        let asked = Self::read(request.headers())?;
        let is_forbidden = asked.has_directives && {
            let directives = Directives::read(request.headers());
            directives.no_store || directives.no_cache
        };
        (!is_forbidden).then_some(asked)
    }

    fn read(headers: &HeaderMap) -> Option<Self> {
        let mut asked = Self::default();
        for (name, value) in headers {
            match name.as_str() {
                "authorization" | "cookie" | "proxy-authorization" => asked.has_credentials = true,
                "cache-control" => asked.has_directives = true,
                "pragma" if says_no_cache(value) => return None,
                "content-length" if value.as_bytes() != b"0" => return None,
                "range"
                | "if-match"
                | "if-none-match"
                | "if-modified-since"
                | "if-unmodified-since"
                | "if-range"
                | "upgrade"
                | "transfer-encoding" => {
                    return None;
                }
                _ => {}
            }
        }
        Some(asked)
    }
}

/// Whether a `Pragma` says so, or cannot be read.
pub(super) fn says_no_cache(pragma: &HeaderValue) -> bool {
    pragma.to_str().map_or(true, |text| text.to_ascii_lowercase().contains("no-cache"))
}
