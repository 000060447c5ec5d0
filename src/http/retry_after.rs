use std::time::{Duration, SystemTime};

use http::{
    HeaderMap, HeaderValue,
    header::{DATE, RETRY_AFTER},
};

use crate::clock;

/// The time for which a server asks to be left alone by `Retry-After`.
///
/// Reads both forms: seconds, as many as there are, and a date. A date is counted from the
/// response's own `Date`, so that clocks that differ do no harm, or from now if it has none. Of
/// several headers the longest time counts. What cannot be read, and a date in the past, says
/// nothing.
///
/// The value is the server's: bound it, as
/// [`Policy::longest_retry_after`](crate::circuit_breaker::Policy::longest_retry_after) does.
///
/// ```
/// use std::time::Duration;
/// use http::{HeaderMap, header::RETRY_AFTER};
/// use tower_failover::http::retry_after;
///
/// let mut headers = HeaderMap::new();
/// assert_eq!(retry_after(&headers), None);
/// headers.insert(RETRY_AFTER, "120".parse()?);
/// assert_eq!(retry_after(&headers), Some(Duration::from_secs(120)));
/// # Ok::<_, http::header::InvalidHeaderValue>(())
/// ```
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let wait = |value| seconds(value).or_else(|| until(date(value)?, headers));
    headers.get_all(RETRY_AFTER).iter().filter_map(wait).max()
}

fn seconds(value: &HeaderValue) -> Option<Duration> {
    let digits = value.to_str().ok()?.trim();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Digits that do not fit are a time that is longer than can be said.
    Some(Duration::from_secs(digits.parse().unwrap_or(u64::MAX)))
}

fn date(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(value.to_str().ok()?.trim()).ok()
}

fn until(date: SystemTime, headers: &HeaderMap) -> Option<Duration> {
    date.duration_since(sent_at(headers)).ok()
}

fn sent_at(headers: &HeaderMap) -> SystemTime {
    headers.get(DATE).and_then(date).unwrap_or_else(clock::wall)
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    const NOON: &str = "Sun, 06 Nov 1994 12:00:00 GMT";

    fn read(pairs: &[(HeaderName, &str)]) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        retry_after(&headers)
    }

    #[test]
    fn seconds_are_read_as_many_as_there_are() {
        for (value, expected) in [("0", 0), ("1", 1), (" 120 ", 120), ("007", 7)] {
            let expected = Some(Duration::from_secs(expected));
            assert_eq!(read(&[(RETRY_AFTER, value)]), expected, "{value:?}");
        }
        let longest = Some(Duration::from_secs(u64::MAX));
        assert_eq!(read(&[(RETRY_AFTER, "18446744073709551616")]), longest);
        assert_eq!(read(&[(RETRY_AFTER, &"9".repeat(10_000))]), longest);
    }

    #[test]
    fn dates_are_counted_from_the_date_of_the_response() {
        for form in [
            "Sun, 06 Nov 1994 12:00:30 GMT",
            "Sunday, 06-Nov-94 12:00:30 GMT",
            "Sun Nov  6 12:00:30 1994",
        ] {
            let wait = read(&[(DATE, NOON), (RETRY_AFTER, form)]);
            assert_eq!(wait, Some(Duration::from_secs(30)), "{form}");
        }
    }

    #[test]
    fn dates_are_counted_from_now_if_the_response_has_none() {
        let date = httpdate::fmt_http_date(clock::wall() + Duration::from_secs(3_600));
        for sent in [&[][..], &[(DATE, "yesterday")][..]] {
            let pairs = [&[(RETRY_AFTER, date.as_str())], sent].concat();
            let wait = read(&pairs).unwrap();
            assert!(wait > Duration::from_secs(3_500) && wait <= Duration::from_secs(3_600));
        }
    }

    #[test]
    fn what_cannot_be_read_and_dates_in_the_past_say_nothing() {
        for value in [
            "",
            " ",
            "-1",
            "+1",
            "1.5",
            "1e9",
            "0x10",
            "1,2",
            "120 seconds",
            "soon",
            "\u{663}",
            "NaN",
            "Sun, 06 Nov 1994 11:59:59 GMT",
            "Sun, 32 Nov 9999 12:00:00 GMT",
            "Sun, 06 Nov 99999 12:00:00 GMT",
        ] {
            assert_eq!(read(&[(DATE, NOON), (RETRY_AFTER, value)]), None, "{value:?}");
        }
        let raw = HeaderValue::from_bytes(&[0xff, b'1']).unwrap();
        assert_eq!(retry_after(&HeaderMap::from_iter([(RETRY_AFTER, raw)])), None);
    }

    #[test]
    fn of_several_headers_the_longest_time_counts() {
        let several =
            [(RETRY_AFTER, "-1"), (RETRY_AFTER, "5"), (RETRY_AFTER, "60"), (RETRY_AFTER, "x")];
        assert_eq!(read(&several), Some(Duration::from_secs(60)));
    }
}
