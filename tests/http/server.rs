use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::body::{Body, Bytes};
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::task::AbortHandle;

use crate::port::Port;

/// A hyper server on loopback that answers by a function, and counts requests; it ends when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    asked: Arc<AtomicUsize>,
    task: AbortHandle,
    _port: Port,
}

impl Server {
    pub(crate) async fn start(
        answer: impl Fn(Request<Incoming>) -> Response<Body> + Clone + Send + Sync + 'static,
    ) -> Self {
        let port = Port::take();
        let listener = port.listen().unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (answer, count) = (answer.clone(), count.clone());
                let service = service_fn(move |request| {
                    count.fetch_add(1, Ordering::SeqCst);
                    std::future::ready(Ok::<_, Infallible>(answer(request)))
                });
                tokio::spawn(async move {
                    let server = auto::Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, asked, task: task.abort_handle(), _port: port }
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) type HyperClient = Client<HttpConnector, Full<Bytes>>;

pub(crate) fn client() -> HyperClient {
    Client::builder(TokioExecutor::new()).build_http()
}

pub(crate) fn http2_client() -> HyperClient {
    Client::builder(TokioExecutor::new()).http2_only(true).build_http()
}

pub(crate) fn get(address: SocketAddr) -> Request<Full<Bytes>> {
    Request::get(format!("http://{address}/")).body(Full::default()).unwrap()
}
