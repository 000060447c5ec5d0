use http::{HeaderMap, Version, header};
use http_body::SizeHint;

/// By what the end of a body is told from a cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Framing {
    /// The `Content-Length` of its head.
    pub(crate) length: Option<u64>,
    /// A `None` is no proof of an end: hyper gives it also for a stream that was reset without an
    /// error.
    pub(crate) has_to_say_its_end: bool,
    /// There is a `Trailer` in its head.
    pub(crate) announces_trailers: bool,
}

impl Framing {
    /// `None` if the body ends when its connection does, so that nobody can tell a cut.
    pub(crate) fn of(
        version: Version,
        headers: &HeaderMap,
        hint: &SizeHint,
        length: Option<u64>,
    ) -> Option<Self> {
        let is_delimited = length.is_some() || hint.exact().is_some();
        let is_clear = match version {
            Version::HTTP_09 | Version::HTTP_10 => is_delimited,
            Version::HTTP_11 => is_delimited || is_chunked(headers) || !says_close(headers),
            _ => true,
        };
        let has_to_say_its_end = version == Version::HTTP_2;
        let announces_trailers = headers.contains_key(header::TRAILER);
        is_clear.then_some(Self { length, has_to_say_its_end, announces_trailers })
    }
}

/// Whether the last coding is `chunked`: with any other the connection is the end.
fn is_chunked(headers: &HeaderMap) -> bool {
    let last = headers.get_all(header::TRANSFER_ENCODING).iter().next_back();
    let last = last.and_then(|line| line.as_bytes().rsplit(|byte| *byte == b',').next());
    last.is_some_and(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"chunked"))
}

fn says_close(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::CONNECTION).iter();
    lines
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
        || headers.contains_key(header::TRANSFER_ENCODING)
}
