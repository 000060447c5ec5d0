//! `google.rpc.RetryInfo` among the details of a status.

use std::time::Duration;

use prost::Message;
use tonic_types::pb;

/// The `retry_delay` in the bytes of a `google.rpc.Status`, if there is one that is not negative.
///
/// Its numbers are read one by one: the conversion of prost negates negative ones, and panics on
/// those that have no positive, where overflow is checked.
pub(super) fn delay(status: &[u8]) -> Option<Duration> {
    let details = pb::Status::decode(status).ok()?.details;
    let info = details.iter().find(|any| any.type_url.ends_with("/google.rpc.RetryInfo"))?;
    let delay = pb::RetryInfo::decode(&*info.value).ok()?.retry_delay?;
    let (seconds, nanos) = (u64::try_from(delay.seconds).ok()?, u32::try_from(delay.nanos).ok()?);
    (nanos < 1_000_000_000).then(|| Duration::new(seconds, nanos))
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
