use std::time::Duration;

use http::{HeaderMap, HeaderValue, header::CACHE_CONTROL};

/// What the `Cache-Control` of a request or a response says.
///
/// Read so that doubt forbids: names in any case, all lines together, the shortest of several times,
/// and `no-store` for what is no list of directives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Directives {
    pub(super) no_store: bool,
    pub(super) no_cache: bool,
    pub(super) private: bool,
    pub(super) public: bool,
    /// `must-revalidate` or `proxy-revalidate`.
    pub(super) revalidate: bool,
    pub(super) max_age: Option<Duration>,
    pub(super) s_maxage: Option<Duration>,
    pub(super) stale_if_error: Option<Duration>,
    pub(super) min_fresh: Option<Duration>,
    pub(super) max_stale: Option<Duration>,
}

/// The longest time there is, 68 years: RFC 9111, section 1.2.2.
pub(super) const LONGEST: Duration = Duration::from_secs(1 << 31);

/// Nobody means to say more than this in one header.
const MOST_BYTES: usize = 4 << 10;

impl Directives {
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let mut directives = Self::default();
        let mut left = MOST_BYTES;
        for line in headers.get_all(CACHE_CONTROL) {
            let read = left
                .checked_sub(line.len().max(1))
                .and_then(|rest| directives.line(line).map(|()| rest));
            let Some(rest) = read else {
                return Self { no_store: true, ..directives };
            };
            left = rest;
        }
        directives
    }

    /// `None` if it cannot be read.
    fn line(&mut self, line: &HeaderValue) -> Option<()> {
        let mut rest = line.to_str().ok()?;
        while !rest.is_empty() {
            let end = end_of_element(rest)?;
            self.element(rest[..end].trim_matches(SPACE))?;
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        Some(())
    }

    fn element(&mut self, element: &str) -> Option<()> {
        if element.is_empty() {
            return Some(());
        }
        let (name, value) = match element.split_once('=') {
            Some((name, value)) => {
                (name.trim_end_matches(SPACE), Some(unquoted(value.trim_start_matches(SPACE))?))
            }
            None => (element, None),
        };
        if name.is_empty() || !name.bytes().all(is_token) {
            return None;
        }
        self.take(&name.to_ascii_lowercase(), value);
        Some(())
    }

    fn take(&mut self, name: &str, value: Option<&str>) {
        let time = || value.and_then(seconds);
        match name {
            "no-store" => self.no_store = true,
            "no-cache" => self.no_cache = true,
            "private" => self.private = true,
            "public" => self.public = true,
            "must-revalidate" | "proxy-revalidate" => self.revalidate = true,
            "max-age" => shortest(&mut self.max_age, time().unwrap_or_default()),
            "s-maxage" => shortest(&mut self.s_maxage, time().unwrap_or_default()),
            "stale-if-error" => shortest(&mut self.stale_if_error, time().unwrap_or_default()),
            "min-fresh" => {
                let least = time().unwrap_or(LONGEST);
                self.min_fresh = self.min_fresh.max(Some(least));
            }
            "max-stale" => {
                let most = if value.is_none() { LONGEST } else { time().unwrap_or_default() };
                shortest(&mut self.max_stale, most);
            }
            _ => {}
        }
    }
}

const SPACE: [char; 2] = [' ', '\t'];

fn shortest(slot: &mut Option<Duration>, time: Duration) {
    *slot = Some(slot.map_or(time, |known| known.min(time)));
}

/// A number of seconds, the longest there is if it is greater.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number
        .then(|| text.parse().map_or(LONGEST, |seconds| Duration::from_secs(seconds).min(LONGEST)))
}

/// Where the first comma outside of quotes stands, or the end. `None` if a quote is not closed.
fn end_of_element(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return Some(at),
            _ => {}
        }
    }
    (!quoted).then_some(text.len())
}

/// A value without its quotes. `None` if there are quotes anywhere else.
fn unquoted(value: &str) -> Option<&str> {
    let Some(inner) = value.strip_prefix('"') else {
        return (!value.contains('"')).then_some(value);
    };
    let mut escaped = false;
    let end = inner.bytes().position(|byte| {
        let is_end = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        is_end
    })?;
    (end + 1 == inner.len()).then(|| &inner[..end])
}

pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
