//! `google.rpc.RetryInfo` among the details of a status.
//!
//! Read by hand, since prost negates the hostile `Duration { seconds: i64::MIN }`, which panics
//! where overflow is checked.

use std::time::Duration;

/// The `retry_delay` in the bytes of a `google.rpc.Status`, if there is one that is not negative.
pub(super) fn delay(status: &[u8]) -> Option<Duration> {
    const DETAILS: u64 = 3;
    Fields(status).filter_map(|field| field.bytes(DETAILS)).find_map(delay_of_any)
}

fn delay_of_any(any: &[u8]) -> Option<Duration> {
    const TYPE_URL: u64 = 1;
    const VALUE: u64 = 2;
    const RETRY_DELAY: u64 = 1;
    let url = last(any, TYPE_URL)?;
    if !url.ends_with(b"/google.rpc.RetryInfo") {
        return None;
    }
    duration(last(last(any, VALUE)?, RETRY_DELAY)?)
}

fn duration(duration: &[u8]) -> Option<Duration> {
    const SECONDS: u64 = 1;
    const NANOS: u64 = 2;
    let number = |number| Fields(duration).filter_map(|field| field.varint(number)).last();
    let seconds = u64::try_from(number(SECONDS).unwrap_or(0).cast_signed()).ok()?;
    let nanos = u32::try_from(number(NANOS).unwrap_or(0)).ok()?;
    (nanos < 1_000_000_000).then(|| Duration::new(seconds, nanos))
}

/// The last field of this number: of repeated ones protobuf takes the last.
fn last(message: &[u8], number: u64) -> Option<&[u8]> {
    Fields(message).filter_map(|field| field.bytes(number)).last()
}

/// The fields of a protobuf message, up to the first that cannot be read.
struct Fields<'a>(&'a [u8]);

enum Field<'a> {
    Varint(u64, u64),
    Bytes(u64, &'a [u8]),
    Fixed,
}

impl<'a> Field<'a> {
    fn varint(self, wanted: u64) -> Option<u64> {
        match self {
            Self::Varint(number, value) if number == wanted => Some(value),
            Self::Varint(..) | Self::Bytes(..) | Self::Fixed => None,
        }
    }

    fn bytes(self, wanted: u64) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(number, bytes) if number == wanted => Some(bytes),
            Self::Varint(..) | Self::Bytes(..) | Self::Fixed => None,
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let key = self.varint()?;
        let number = key >> 3;
        match key & 7 {
            0 => Some(Field::Varint(number, self.varint()?)),
            1 => self.take(8).map(|_| Field::Fixed),
            2 => {
                let length = self.varint()?;
                Some(Field::Bytes(number, self.take(usize::try_from(length).ok()?)?))
            }
            5 => self.take(4).map(|_| Field::Fixed),
            _ => None,
        }
    }
}

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::{Code, Status};
    use tonic_types::{ErrorDetails, StatusExt};

    fn encoded(delay: Duration) -> Vec<u8> {
        let mut details = ErrorDetails::with_retry_info(Some(delay));
        details.set_localized_message("en", "later").set_request_info("id", "data");
        Status::with_error_details(Code::Unavailable, "down", details).details().to_vec()
    }

    /// A status whose retry delay has these seconds and nanoseconds.
    fn crafted(seconds: i64, nanos: i32) -> Vec<u8> {
        let varint = |mut value: u64| {
            let mut bytes = Vec::new();
            while value > 0x7f {
                bytes.push(value as u8 | 0x80);
                value >>= 7;
            }
            bytes.push(value as u8);
            bytes
        };
        let field = |number: u8, bytes: &[u8]| {
            [&[number << 3 | 2], &varint(bytes.len() as u64)[..], bytes].concat()
        };
        let seconds = varint(seconds.cast_unsigned());
        let nanos = varint(i64::from(nanos).cast_unsigned());
        let duration = [&[1 << 3], &seconds[..], &[2 << 3], &nanos[..]].concat();
        let url = field(1, b"type.googleapis.com/google.rpc.RetryInfo");
        field(3, &[url, field(2, &field(1, &duration))].concat())
    }

    #[test]
    fn what_tonic_writes_is_read() {
        for delay in [
            Duration::ZERO,
            Duration::from_nanos(1),
            Duration::from_millis(1_500),
            Duration::new(u64::from(u32::MAX), 999_999_999),
        ] {
            assert_eq!(super::delay(&encoded(delay)), Some(delay), "{delay:?}");
        }
        assert_eq!(delay(&crafted(3, 500_000_000)), Some(Duration::from_millis(3_500)));
    }

    #[test]
    fn hostile_times_say_nothing_or_are_long_and_never_panic() {
        for (seconds, nanos) in [
            (i64::MIN, -1),
            (i64::MIN, i32::MIN),
            (-1, 0),
            (0, -1),
            (0, 1_000_000_000),
            (1, i32::MIN),
        ] {
            assert_eq!(delay(&crafted(seconds, nanos)), None, "{seconds} {nanos}");
        }
        let long = delay(&crafted(i64::MAX, 999_999_999)).unwrap();
        assert_eq!(long.as_secs(), i64::MAX.cast_unsigned());
    }

    #[test]
    fn other_details_and_none_say_nothing() {
        assert_eq!(delay(&[]), None);
        let other = ErrorDetails::with_localized_message("en", "later");
        let status = Status::with_error_details(Code::Unavailable, "down", other);
        assert_eq!(delay(status.details()), None);
    }

    #[test]
    fn cut_and_changed_bytes_never_panic() {
        let seed = 0x5eed;
        let mut random = fastrand::Rng::with_seed(seed);
        let whole = encoded(Duration::from_secs(7));
        let (mut read, mut unread) = (0, 0);
        for length in 0..whole.len() {
            delay(&whole[..length]);
        }
        for _ in 0..100_000 {
            let mut bytes = whole.clone();
            for _ in 0..random.usize(1..4) {
                let at = random.usize(..bytes.len());
                bytes[at] = random.u8(..);
            }
            *if delay(&bytes).is_some() { &mut read } else { &mut unread } += 1;
        }
        assert!(read > 1_000 && unread > 1_000, "seed {seed}: {read} read, {unread} not");
    }
}
