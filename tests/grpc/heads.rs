//! Responses that are not as gRPC wants them: without a status, with one that cannot be read, or
//! from a proxy that speaks plain HTTP.

use axum::http::{HeaderMap, Request, Response};
use futures::stream;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tonic::Code;
use tower::{Layer, Service, ServiceExt};
use tower_failover::{
    BoxError,
    circuit_breaker::{CircuitBreakerLayer, State},
    grpc::Codes,
};
use tower_http::classify::{ClassifiedResponse, ClassifyEos, ClassifyResponse};

use crate::{FRAGILE, circuit};

fn headers(status: Option<&[u8]>) -> HeaderMap {
    let value = |status| axum::http::HeaderValue::from_bytes(status).unwrap();
    status.map(|it| ("grpc-status".parse().unwrap(), value(it))).into_iter().collect()
}

/// Whether a response with this head and these trailers opens a circuit, once it is read.
async fn opens(http: u16, head: HeaderMap, trailers: Option<HeaderMap>) -> bool {
    let circuit = circuit(FRAGILE);
    let mut response = Some({
        let frames = trailers.map(|it| Ok::<_, BoxError>(Frame::<bytes::Bytes>::trailers(it)));
        let mut response = Response::new(StreamBody::new(stream::iter(frames)));
        *response.status_mut() = http.try_into().unwrap();
        *response.headers_mut() = head;
        response
    });
    let inner = tower::service_fn(move |_: Request<()>| {
        std::future::ready(Ok::<_, BoxError>(response.take().unwrap()))
    });
    let mut service = CircuitBreakerLayer::for_grpc(circuit.clone()).layer(inner);
    let response = service.ready().await.unwrap().call(Request::new(())).await.unwrap();
    response.into_body().collect().await.unwrap();
    circuit.state() == State::Open
}

#[tokio::test]
async fn a_clean_end_without_a_status_is_a_failure() {
    assert!(opens(200, headers(None), None).await);
    assert!(opens(200, headers(None), Some(headers(None))).await);
    assert!(!opens(200, headers(None), Some(headers(Some(b"0")))).await);
}

#[tokio::test]
async fn a_status_that_cannot_be_read_is_a_failure() {
    for status in [&b""[..], b"-1", b"00", b"17", b"14 ", b"OK", b"\xff", b"99999999999999999999"] {
        assert!(opens(200, headers(None), Some(headers(Some(status)))).await, "{status:?}");
        assert!(opens(200, headers(Some(status)), None).await, "{status:?}");
    }
}

#[tokio::test]
async fn details_that_cannot_be_read_change_nothing() {
    for details in ["!", "not base64", "CA4=", "//////////8="] {
        let with_details = |status| {
            let mut trailers = headers(Some(status));
            trailers.insert("grpc-status-details-bin", details.parse().unwrap());
            trailers
        };
        assert!(opens(200, headers(None), Some(with_details(b"14"))).await, "{details}");
        assert!(opens(200, with_details(b"14"), None).await, "{details}");
        assert!(!opens(200, headers(None), Some(with_details(b"0"))).await, "{details}");
    }
}

#[tokio::test]
async fn every_code_is_read_in_headers_and_in_trailers() {
    for code in 0..=16 {
        let fails = Codes::new().is_failure(Code::from_i32(code));
        let digits = code.to_string();
        let status = || headers(Some(digits.as_bytes()));
        assert_eq!(opens(200, status(), None).await, fails, "{code} in headers");
        assert_eq!(opens(200, headers(None), Some(status())).await, fails, "{code} in trailers");
        assert_eq!(opens(503, status(), None).await, fails, "the code goes before HTTP's {code}");
    }
}

#[test]
fn http_statuses_are_mapped_as_the_specification_does() {
    for (http, code) in [
        (400, Code::Internal),
        (401, Code::Unauthenticated),
        (403, Code::PermissionDenied),
        (404, Code::Unimplemented),
        (429, Code::Unavailable),
        (502, Code::Unavailable),
        (503, Code::Unavailable),
        (504, Code::Unavailable),
        (204, Code::Unknown),
        (418, Code::Unknown),
        (500, Code::Unknown),
    ] {
        let every = (1..=16).fold(Codes::new(), |it, code| it.failure(Code::from_i32(code)));
        let response = Response::builder().status(http).body(()).unwrap();
        let ClassifiedResponse::Ready(judged) = every.classify_response(&response) else {
            panic!("{http} waits for the end");
        };
        assert_eq!(judged, Err(code), "{http}");
        let by_default = Codes::new().classify_response(&response);
        let fails = matches!(by_default, ClassifiedResponse::Ready(Err(_)));
        assert_eq!(fails, Codes::new().is_failure(code), "{http}");
    }
}

#[test]
fn a_head_of_200_waits_for_its_end() {
    match Codes::new().classify_response(&Response::new(())) {
        ClassifiedResponse::RequiresEos(eos) => {
            assert_eq!(eos.classify_eos(None), Err(Code::Unknown))
        }
        ClassifiedResponse::Ready(ready) => panic!("{ready:?}"),
    }
}
