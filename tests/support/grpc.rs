//! A gRPC service without generated code: its messages are words. For tests and examples.
#![allow(dead_code, unreachable_pub, reason = "each that includes this uses a part of it")]

#[path = "port.rs"]
mod port;

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use axum::http::{Request, Response, uri::PathAndQuery};
use bytes::{Buf, BufMut, Bytes};
use futures::{
    StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use port::Port;
use tokio::runtime::{Builder, Runtime};
use tonic::{
    Status, Streaming,
    body::Body,
    client,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    server::{self, NamedService},
    service::Routes,
    transport::{Channel, Endpoint, Server, server::TcpIncoming},
};
use tower::Service;

const SAY: &str = "/words.Words/Say";
const LIST: &str = "/words.Words/List";

/// What the service says to a word: a status in the headers, or messages, of which one that is an
/// error ends the stream by a status in the trailers.
pub type Answer = Result<BoxStream<'static, Result<String, Status>>, Status>;

/// These messages, and then the end.
pub fn messages<I>(messages: I) -> Answer
where
    I: IntoIterator<Item = Result<&'static str, Status>, IntoIter: Send + 'static>,
{
    Ok(stream::iter(messages).map(|it| it.map(str::to_owned)).boxed())
}

/// The service: `Say` answers with one message, `List` with a stream.
#[derive(Clone)]
pub struct Words {
    answer: Arc<dyn Fn(String) -> Answer + Send + Sync>,
    calls: Arc<AtomicUsize>,
}

impl Words {
    pub fn new(answer: impl Fn(String) -> Answer + Send + Sync + 'static) -> Self {
        Self { answer: Arc::new(answer), calls: Arc::default() }
    }

    /// How many calls reached it.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl NamedService for Words {
    const NAME: &'static str = "words.Words";
}

impl Service<Request<Body>> for Words {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let answer = self.answer.clone();
        let mut grpc = server::Grpc::new(Plain);
        Box::pin(async move {
            Ok(match request.uri().path() {
                SAY => {
                    let say = tower::service_fn(move |word: tonic::Request<String>| {
                        let answered = answer(word.into_inner());
                        async move {
                            let first = answered?.next().await.expect("a message");
                            first.map(tonic::Response::new)
                        }
                    });
                    grpc.unary(say, request).await
                }
                LIST => {
                    let list = tower::service_fn(move |word: tonic::Request<String>| {
                        std::future::ready(answer(word.into_inner()).map(tonic::Response::new))
                    });
                    grpc.server_streaming(list, request).await
                }
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

/// A tonic server on loopback, in a runtime of its own: its connections break when it is
/// stopped.
pub struct WordServer {
    port: Port,
    runtime: Option<Runtime>,
}

impl WordServer {
    /// Serves these routes.
    pub fn start(routes: Routes) -> Self {
        Self::serve(|incoming| async move {
            Server::builder().add_routes(routes).serve_with_incoming(incoming).await
        })
    }

    /// Serves as this function does.
    pub fn serve<F>(serve: impl FnOnce(TcpIncoming) -> F) -> Self
    where
        F: Future<Output = Result<(), tonic::transport::Error>> + Send + 'static,
    {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let port = Port::take();
        let entered = runtime.enter();
        let listener = port.listen().expect("a port of its own");
        runtime.spawn(serve(TcpIncoming::from(listener)));
        drop(entered);
        Self { port, runtime: Some(runtime) }
    }

    /// A channel to it, which connects when it is first used.
    pub fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{}", self.port.number()));
        endpoint.expect("an address").connect_lazy()
    }
}

impl WordServer {
    /// Ends it. Its port stays its own, so that connections are refused.
    pub fn stop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // On a thread of its own, since it waits until every task is gone.
            let ended = std::thread::spawn(move || drop(runtime)).join();
            ended.expect("a runtime ends");
        }
    }
}

impl Drop for WordServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The client: what would be generated, over any service.
#[derive(Clone, Debug)]
pub struct WordClient<S>(client::Grpc<S>);

impl<S> WordClient<S>
where
    S: client::GrpcService<Body>,
    S::ResponseBody: http_body::Body<Data = Bytes> + Send + 'static,
    <S::ResponseBody as http_body::Body>::Error:
        Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    pub fn new(service: S) -> Self {
        Self(client::Grpc::new(service))
    }

    pub async fn say(&mut self, word: &str) -> Result<String, Status> {
        self.ready().await?;
        let request = tonic::Request::new(word.to_owned());
        let answered = self.0.unary(request, PathAndQuery::from_static(SAY), Plain).await;
        answered.map(tonic::Response::into_inner)
    }

    pub async fn list(&mut self, word: &str) -> Result<Streaming<String>, Status> {
        self.ready().await?;
        let request = tonic::Request::new(word.to_owned());
        let listed = self.0.server_streaming(request, PathAndQuery::from_static(LIST), Plain).await;
        listed.map(tonic::Response::into_inner)
    }

    async fn ready(&mut self) -> Result<(), Status> {
        self.0.ready().await.map_err(|error| Status::from_error(error.into()))
    }
}

/// Messages as they are.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl Codec for Plain {
    type Encode = String;
    type Decode = String;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Plain {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, word: String, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(word.as_bytes());
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        let word = String::from_utf8(bytes.into());
        word.map(Some).map_err(|_| Status::internal("not a word"))
    }
}
