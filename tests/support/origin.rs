//! An HTTP server on loopback that can be killed and started again at the same address.
#![allow(
    clippy::disallowed_methods,
    dead_code,
    unreachable_pub,
    reason = "each example that includes this uses a part of it, in real time"
)]

#[path = "port.rs"]
mod port;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Router, extract::Request, middleware::map_request};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    net::TcpListener,
    task::{JoinHandle, JoinSet},
};

use port::Port;

/// Serves these routes while it runs.
#[derive(Debug)]
pub struct Origin {
    port: Port,
    routes: Router,
    asked: Arc<AtomicUsize>,
    running: Option<JoinHandle<()>>,
}

impl Origin {
    /// Does not run yet.
    pub fn new(routes: Router) -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        let routes = routes.layer(map_request(move |request: Request| {
            counted.fetch_add(1, Ordering::Relaxed);
            std::future::ready(request)
        }));
        Self { port: Port::take(), routes, asked, running: None }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port.number())
    }

    /// How many requests it got.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// # Errors
    ///
    /// When its port is taken.
    pub fn start(&mut self) -> io::Result<()> {
        let listener = self.port.listen()?;
        self.running = Some(tokio::spawn(serve(listener, self.routes.clone())));
        Ok(())
    }

    /// Cuts its connections, and refuses new ones.
    pub async fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.abort();
            let _ = running.await;
        }
    }
}

/// Connections end with it.
async fn serve(listener: TcpListener, routes: Router) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.expect("a listener accepts");
        let service = TowerToHyperService::new(routes.clone());
        connections.spawn(async move {
            let server = auto::Builder::new(TokioExecutor::new());
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
