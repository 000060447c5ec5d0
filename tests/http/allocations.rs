//! What a call costs that passes and whose body ends well: no allocation.

use std::hint::black_box;

use axum::http::{Request, Response};
use futures::FutureExt;
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt};
use tower_failover::{
    BoxError,
    circuit_breaker::{CircuitBreakerLayer, Policy},
    http::AnswerRefusalsLayer,
};

use crate::circuit;

#[test]
fn an_admitted_call_allocates_nothing_up_to_the_end_of_its_body() {
    let inner = tower::service_fn(|_: Request<()>| {
        std::future::ready(Ok::<_, BoxError>(Response::new(Full::<&[u8]>::from(&b"hello"[..]))))
    });
    let circuit = circuit(Policy::new());
    let mut service =
        (AnswerRefusalsLayer::new(), CircuitBreakerLayer::for_http(circuit.clone())).layer(inner);
    let mut read = 0;
    let mut call = || {
        service.ready().now_or_never().unwrap().unwrap();
        let response = service.call(Request::new(())).now_or_never().unwrap().unwrap();
        let mut body = response.into_body();
        while let Some(frame) = body.frame().now_or_never().unwrap() {
            read += frame.unwrap().data_ref().unwrap().len();
        }
    };
    call();
    let allocations = allocation_counter::measure(|| (0..100).for_each(|_| call())).count_total;
    assert_eq!(allocations, 0);
    assert_eq!(read, 505);

    // The counter counts.
    let counted = allocation_counter::measure(|| drop(black_box(Box::new(read)))).count_total;
    assert_eq!(counted, 1);
}
