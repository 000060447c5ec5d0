//! How long a server asks to be left alone, and what that does to a circuit.

use std::time::Duration;

use axum::http::HeaderMap;
use tonic::{Code, Status, metadata::MetadataMap};
use tonic_types::{ErrorDetails, StatusExt};
use tower_failover::{
    Backoff, BoxError, Classify,
    circuit_breaker::{Policy, State},
    grpc::{Codes, retry_after},
};

use crate::{SECOND, circuit, pair, support::messages};

fn pushback(value: &str) -> MetadataMap {
    let mut metadata = MetadataMap::new();
    metadata.insert("grpc-retry-pushback-ms", value.parse().unwrap());
    metadata
}

fn by_pushback() -> Status {
    Status::with_metadata(Code::Unavailable, "busy", pushback("30000"))
}

fn by_details() -> Status {
    let details = ErrorDetails::with_retry_info(Some(30 * SECOND));
    Status::with_error_details(Code::Unavailable, "busy", details)
}

fn by_both() -> Status {
    let details = ErrorDetails::with_retry_info(Some(SECOND));
    let pushback = pushback("30000");
    Status::with_error_details_and_metadata(Code::Unavailable, "busy", details, pushback)
}

#[tokio::test]
async fn a_server_that_says_when_to_come_back_lengthens_the_open_time() {
    for status in [by_pushback, by_details, by_both] {
        for in_trailers in [true, false] {
            let policy = Policy::consecutive(1).open_for(Backoff::fixed(SECOND));
            let circuit = circuit(policy);
            let (words, _server, mut client) = pair(&circuit, move |_| match in_trailers {
                true => messages([Ok("hel"), Err(status())]),
                false => Err(status()),
            });
            match client.list("word").await {
                Ok(mut stream) => {
                    stream.message().await.unwrap().unwrap();
                    assert_eq!(stream.message().await.unwrap_err().code(), Code::Unavailable);
                }
                Err(status) => assert!(!in_trailers, "{status}"),
            }
            assert_eq!((circuit.state(), words.calls()), (State::Open, 1));
            let wait = circuit.retry_after().unwrap();
            assert!(wait > 29 * SECOND && wait <= 30 * SECOND, "{wait:?}");
        }
    }
}

#[test]
fn the_longest_of_what_is_said_counts() {
    let mut headers = HeaderMap::new();
    assert_eq!(retry_after(&headers), None);
    headers.insert("retry-after", "5".parse().unwrap());
    assert_eq!(retry_after(&headers), Some(5 * SECOND));
    headers.insert("grpc-retry-pushback-ms", "7500".parse().unwrap());
    assert_eq!(retry_after(&headers), Some(Duration::from_millis(7_500)));
    by_details().add_header(&mut headers).unwrap();
    assert_eq!(retry_after(&headers), Some(30 * SECOND));
}

#[test]
fn what_is_hostile_says_nothing_and_never_panics() {
    for value in ["-1", "-2147483648", "2147483648", "1.5", "", "soon", "99999999999999999999"] {
        let headers = pushback(value).into_headers();
        assert_eq!(retry_after(&headers), None, "{value:?}");
    }
    for details in ["", "!", "a", "not base64", "AAAA=", "//////////8=", "\u{7f}"] {
        let Ok(details) = details.parse() else { continue };
        let headers = HeaderMap::from_iter([("grpc-status-details-bin".parse().unwrap(), details)]);
        assert_eq!(retry_after(&headers), None, "{headers:?}");
    }
    let longest = retry_after(&pushback("2147483647").into_headers());
    assert_eq!(longest, Some(Duration::from_millis(2_147_483_647)));
}

#[test]
fn above_the_codec_a_status_says_it_too() {
    for status in [by_pushback, by_details, by_both] {
        let typed = Err::<(), _>(status());
        let in_a_box = Err::<(), BoxError>(status().into());
        assert_eq!(Codes::new().retry_after(&typed), Some(30 * SECOND));
        assert_eq!(Codes::new().retry_after(&in_a_box), Some(30 * SECOND));
    }
    assert_eq!(Codes::new().retry_after(&Err::<(), _>(Status::internal(""))), None);
    assert_eq!(Codes::new().retry_after(&Ok::<_, Status>(())), None);
}
