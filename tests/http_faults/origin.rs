use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering::SeqCst},
    },
};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http::{Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::StreamBody;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
};

use crate::{
    page::{Answer, Key},
    support::Port,
};

/// How the origin answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Mode {
    Whole,
    /// With a 503 that asks for a second.
    Unavailable,
    /// With a body that stops half-way and does not end.
    Endless,
}

/// Numbers its answers and writes the time into them.
#[derive(Debug)]
pub(crate) struct Origin {
    port: Port,
    shared: Arc<Shared>,
    /// Its connections end with it.
    runtime: Option<Runtime>,
}

#[derive(Debug, Default)]
struct Shared {
    mode: AtomicU8,
    serial: AtomicU64,
    unavailable: AtomicU64,
    endless: AtomicU64,
}

type Body = StreamBody<Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Infallible>> + Send>>>;

impl Origin {
    pub(crate) fn start() -> Self {
        let mut origin = Self { port: Port::take(), shared: Arc::default(), runtime: None };
        origin.restart();
        origin
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port.number()
    }

    pub(crate) fn answers_as(&self, mode: Mode) {
        self.shared.mode.store(mode as u8, SeqCst);
    }

    pub(crate) fn unavailable(&self) -> u64 {
        self.shared.unavailable.load(SeqCst)
    }

    pub(crate) fn endless(&self) -> u64 {
        self.shared.endless.load(SeqCst)
    }

    /// Ends it, and its connections with it.
    pub(crate) fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // On a thread of its own, since it waits until every task is gone.
            std::thread::spawn(move || drop(runtime)).join().expect("a runtime ends");
        }
    }

    /// Listens on the same port.
    pub(crate) fn restart(&mut self) {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let entered = runtime.enter();
        let listener = self.port.listen().expect("a port of its own");
        let shared = self.shared.clone();
        runtime.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                while connections.try_join_next().is_some() {}
                let shared = shared.clone();
                let answer = service_fn(move |request| {
                    std::future::ready(Ok::<_, Infallible>(shared.answer(&request)))
                });
                connections
                    .spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
            }
        });
        drop(entered);
        self.runtime = Some(runtime);
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Shared {
    fn answer(&self, request: &Request<Incoming>) -> Response<Body> {
        let user = request.headers()["x-user"].to_str().unwrap();
        let key = Key::read(request.uri().path(), user).expect("a page that there is");
        let mode = self.mode.load(SeqCst);
        if mode == Mode::Unavailable as u8 {
            self.unavailable.fetch_add(1, SeqCst);
            let sorry = Response::builder()
                .status(StatusCode::SERVICE_UNAVAILABLE)
                .header(header::RETRY_AFTER, "1");
            return sorry.body(frames(vec![Bytes::from("sorry")], true)).unwrap();
        }
        let answer = Answer::new(key, self.serial.fetch_add(1, SeqCst));
        let body = answer.body();
        let mut response = Response::builder()
            .header(header::CACHE_CONTROL, key.kind.cache_control())
            .header("x-serial", format!("{:010}", answer.serial));
        if key.declares_length() {
            response = response.header(header::CONTENT_LENGTH, body.len());
        }
        let is_whole = mode != Mode::Endless as u8;
        let mut parts = Bytes::from(body);
        let first = parts.split_to(parts.len() / 2);
        let parts = if is_whole { vec![first, parts] } else { vec![first] };
        if !is_whole {
            self.endless.fetch_add(1, SeqCst);
        }
        response.body(frames(parts, is_whole)).unwrap()
    }
}

fn frames(parts: Vec<Bytes>, ends: bool) -> Body {
    let parts = stream::iter(parts).map(|part| Ok(Frame::data(part)));
    StreamBody::new(match ends {
        true => Box::pin(parts),
        false => Box::pin(parts.chain(stream::pending())),
    })
}
