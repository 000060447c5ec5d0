//! Two HTTP origins over real sockets.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use axum::{Router, extract::State, http::StatusCode, routing::any};
use http::{Method, Request, Response};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, Error, ResponseFuture, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{net::TcpListener, task::JoinHandle};
use tower::{Service, ServiceExt};
use tower_failover::{
    BoxError,
    failover::{Backend, By, Failover, MayHaveRun, Repeat, Upkeep},
    http::ServerErrors,
};

type Asked = Request<String>;

/// A client of one origin, whatever the request's address.
#[derive(Clone)]
struct Origin {
    client: Client<HttpConnector, String>,
    address: SocketAddr,
}

impl Service<Asked> for Origin {
    type Response = Response<Incoming>;
    type Error = Error;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Service::<Asked>::poll_ready(&mut self.client, cx)
    }

    fn call(&mut self, mut request: Asked) -> ResponseFuture {
        let uri = format!("http://{}{}", self.address, request.uri().path());
        *request.uri_mut() = uri.parse().expect("a valid address");
        self.client.call(request)
    }
}

struct Server {
    address: SocketAddr,
    status: Arc<AtomicU16>,
    served: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (status, served) = (Arc::new(AtomicU16::new(200)), Arc::new(AtomicUsize::new(0)));
        let answer = async |State(state): State<(Arc<AtomicU16>, Arc<AtomicUsize>)>| {
            state.1.fetch_add(1, Ordering::Relaxed);
            StatusCode::from_u16(state.0.load(Ordering::Relaxed)).unwrap()
        };
        let app: Router =
            Router::new().fallback(any(answer)).with_state((status.clone(), served.clone()));
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, status, served, task }
    }

    fn backend(&self, name: &'static str) -> Backend<Origin> {
        // No connection is kept, so that a server that is gone refuses the next one.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        Backend::new(name, Origin { client, address: self.address })
    }

    async fn stop(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

fn repeat(request: &Asked) -> Repeat {
    match request.method().is_idempotent() {
        true => Repeat::Always,
        false => Repeat::IfNotApplied,
    }
}

type Fleet = Failover<Origin, By<fn(&Asked) -> Repeat>, ServerErrors>;

fn fleet(eu: &Server, us: &Server) -> (Fleet, Upkeep) {
    Failover::builder("origins")
        .backend(eu.backend("eu"))
        .backend(us.backend("us").tier(1))
        .repeat(By(repeat as fn(&Asked) -> Repeat))
        .classify(ServerErrors::new())
        .build()
}

async fn send(fleet: &mut Fleet, method: Method) -> Result<Response<Incoming>, BoxError> {
    let request = Request::builder().method(method).uri("/users/7").body(String::new()).unwrap();
    fleet.ready().await?.call(request).await
}

#[tokio::test]
async fn an_origin_that_is_gone_is_routed_around_whatever_the_method() {
    for method in [Method::GET, Method::POST] {
        let (eu, us) = (Server::start().await, Server::start().await);
        let (mut fleet, _upkeep) = fleet(&eu, &us);
        assert_eq!(send(&mut fleet, method.clone()).await.unwrap().status(), StatusCode::OK);
        assert_eq!(eu.served.load(Ordering::Relaxed), 1);
        eu.stop().await;
        let answer = send(&mut fleet, method.clone()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{method}");
        assert_eq!(us.served.load(Ordering::Relaxed), 1);
    }
}

#[tokio::test]
async fn a_server_error_moves_only_what_is_idempotent() {
    let (eu, us) = (Server::start().await, Server::start().await);
    let (mut fleet, _upkeep) = fleet(&eu, &us);
    eu.status.store(503, Ordering::Relaxed);
    let answer = send(&mut fleet, Method::POST).await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "what the origin said");
    assert_eq!(us.served.load(Ordering::Relaxed), 0);
    fleet.control().recover("again");
    assert_eq!(send(&mut fleet, Method::GET).await.unwrap().status(), StatusCode::OK);
    assert_eq!((eu.served.load(Ordering::Relaxed), us.served.load(Ordering::Relaxed)), (2, 1));
}

#[tokio::test]
async fn a_connection_that_is_lost_moves_only_what_is_idempotent() {
    for method in [Method::PUT, Method::POST] {
        let us = Server::start().await;
        let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = mute.local_addr().unwrap();
        let task = tokio::spawn(async move {
            loop {
                let (mut socket, _) = mute.accept().await.unwrap();
                // Reads the request and hangs up.
                tokio::io::AsyncReadExt::read(&mut socket, &mut [0; 1024]).await.unwrap();
            }
        });
        let (status, served) = (Arc::default(), Arc::default());
        let eu = Server { address, status, served, task };
        let (mut fleet, _upkeep) = fleet(&eu, &us);
        let answer = send(&mut fleet, method.clone()).await;
        match method.is_idempotent() {
            true => assert_eq!(answer.unwrap().status(), StatusCode::OK),
            false => {
                let error = answer.unwrap_err();
                let doubtful = error.downcast_ref::<MayHaveRun>().expect("it was read");
                assert!(doubtful.get_ref().is::<Error>(), "hyper's own error is kept");
            }
        }
        assert_eq!(us.served.load(Ordering::Relaxed), usize::from(method.is_idempotent()));
        eu.stop().await;
    }
}
