use std::net::SocketAddr;

use http::Request;
use http_body_util::Full;
use tokio::task::AbortHandle;
use tower::ServiceExt;

use crate::{
    caller::Caller,
    cell::Cell,
    origin::{FIRST, Origin, Phase},
    scope::Scope,
    shown::Shown,
    stack::{Ask, Side, around_client, under_axum},
};

/// An origin, a cache, and a way to ask.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) origin: Origin,
    pub(crate) scope: Scope,
    side: Side,
    ask: Ask,
    address: SocketAddr,
    server: AbortHandle,
}

impl World {
    pub(crate) async fn new(scope: Scope, side: Side, is_http2: bool) -> Self {
        let origin = Origin::default();
        let (ask, address, server) = match side {
            Side::Client => around_client(origin.clone(), scope, is_http2).await,
            Side::Server => under_axum(origin.clone(), scope, is_http2).await,
        };
        Self { origin, scope, side, ask, address, server }
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.origin.enter(phase);
        if phase == Phase::Down && self.side == Side::Client {
            self.server.abort();
        }
    }

    pub(crate) fn ask(
        &self,
        cell: &Cell,
        caller: Caller,
        is_first: bool,
    ) -> impl Future<Output = Shown> + Send + 'static {
        let uri = format!("http://{}{}", self.address, cell.path());
        let mut request = Request::builder().method(cell.method()).uri(uri);
        for (name, value) in caller.credentials(cell.by) {
            request = request.header(name, value);
        }
        if is_first {
            request = request.header(FIRST, "1");
        }
        let request = request.body(Full::default()).unwrap();
        let ask = self.ask.clone();
        async move { Shown::of(ask.oneshot(request).await).await }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.server.abort();
    }
}
