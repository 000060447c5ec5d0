use std::{convert::Infallible, net::SocketAddr, time::Duration};

use axum::{Router, body::Body};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    net::TcpListener,
    task::{AbortHandle, JoinSet},
};
use tower::{ServiceBuilder, ServiceExt, layer::layer_fn, util::BoxCloneSyncService};
use tower_failover::{
    Backoff, BoxError,
    circuit_breaker::{Circuit, CircuitBreakerLayer, Policy},
    http::{
        AnswerRefusalsLayer,
        cached::{CacheLayer, Page},
    },
};

use crate::{
    origin::{Origin, Phase},
    scope::{Scope, verify},
    turnstile::Turnstile,
};

/// Where the cache stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

pub(crate) type Ask = BoxCloneSyncService<Request<Full<Bytes>>, Response<Body>, BoxError>;

/// Opens now and then during an outage, and lets calls through again soon.
/// It does not open: what it refuses is nobody's page, and how much that is depends on the machine.
fn circuit() -> Circuit {
    let policy = Policy::consecutive(100_000).open_for(Backoff::fixed(Duration::from_millis(5)));
    Circuit::builder("origin").policy(policy).build()
}

fn client(is_http2: bool) -> Client<HttpConnector, Full<Bytes>> {
    Client::builder(TokioExecutor::new())
        .http2_only(is_http2)
        // So many callers leave that a connection would be taken for one under attack, and cut.
        .http2_max_local_error_reset_streams(None)
        .build_http()
}

/// A cache around a client, with a circuit breaker below it; and the server that it calls.
pub(crate) async fn around_client(
    origin: Origin,
    scope: Scope,
    is_http2: bool,
) -> (Ask, SocketAddr, AbortHandle) {
    let (address, server) = serve_by_hyper(origin.clone()).await;
    let pages = Page::cache("pages").spawn();
    let service = ServiceBuilder::new()
        .layer(layer_fn(move |inner| Turnstile::new(inner, origin.clone())))
        .map_request(verify)
        .layer(CacheLayer::new(pages, scope.pages()))
        .layer(CircuitBreakerLayer::for_http(circuit()))
        .service(client(is_http2));
    (BoxCloneSyncService::new(service.map_response(|it| it.map(Body::new))), address, server)
}

/// A plain client, of an axum server with a cache and a circuit breaker before its routes.
pub(crate) async fn under_axum(
    origin: Origin,
    scope: Scope,
    is_http2: bool,
) -> (Ask, SocketAddr, AbortHandle) {
    let pages = Page::cache("pages").spawn();
    let (routed, counted, switch) = (origin.clone(), origin.clone(), origin);
    let app = Router::new().fallback(move |request| routed.clone().answer(request)).layer(
        ServiceBuilder::new()
            .layer(AnswerRefusalsLayer::new().infallible())
            .layer(layer_fn(move |inner| Turnstile::new(inner, counted.clone())))
            .map_request(verify)
            .layer(CacheLayer::new(pages, scope.pages()))
            .layer(CircuitBreakerLayer::for_http(circuit()))
            .filter(move |request: Request<Body>| match switch.is(Phase::Down) {
                false => Ok(request),
                true => Err(BoxError::from("the database is gone")),
            }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let service = client(is_http2).map_response(|it| it.map(Body::new)).map_err(BoxError::from);
    (BoxCloneSyncService::new(service), address, server.abort_handle())
}

/// Ends, and cuts its connections, when it is aborted.
async fn serve_by_hyper(origin: Origin) -> (SocketAddr, AbortHandle) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let origin = origin.clone();
            let answer = move |request| {
                let origin = origin.clone();
                async move { Ok::<_, Infallible>(origin.answer(request).await) }
            };
            connections.spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
            });
        }
    });
    (address, server.abort_handle())
}
