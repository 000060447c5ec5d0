//! Circuits by key, over HTTP.

use axum::{
    body::Body,
    http::{Request, Response, uri::Authority},
};
use http_body_util::{BodyExt, Full};
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_failover::{
    Circuit,
    circuit_breaker::{CircuitBreakerLayer, Circuits, Open, State},
};

use crate::{
    FRAGILE,
    server::{Server, client, get},
};

#[tokio::test]
async fn each_host_has_a_circuit_of_its_own() {
    let good = Server::start(|_| Response::new(Body::from("hello"))).await;
    let bad = Server::start(|_| Response::builder().status(500).body(Body::empty()).unwrap()).await;
    let circuits =
        Circuits::new(|host: &Authority| Circuit::builder(host.to_string()).policy(FRAGILE));
    let host = |request: &Request<Full<_>>| request.uri().authority().unwrap().clone();
    let mut service = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::keyed_for_http(circuits.clone(), host))
        .service(client());

    let failed = service.ready().await.unwrap().call(get(bad.address)).await.unwrap();
    assert_eq!(failed.status(), 500);
    for _ in 0..3 {
        let served = service.ready().await.unwrap().call(get(good.address)).await.unwrap();
        assert_eq!(served.into_body().collect().await.unwrap().to_bytes(), "hello");
    }
    let refused = service.ready().await.unwrap().call(get(bad.address)).await.err().unwrap();
    assert_eq!(refused.downcast_ref::<Open>().unwrap().circuit(), bad.address.to_string());
    assert_eq!((good.asked(), bad.asked()), (3, 1));
    let mut states: Vec<_> = circuits.all().iter().map(|(_, circuit)| circuit.state()).collect();
    states.sort_by_key(|state| *state == State::Open);
    assert_eq!(states, [State::Closed, State::Open]);
}
