#![allow(clippy::disallowed_methods, reason = "tests spawn openly")]

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, Request, Response};
use http_body::{Body as HttpBody, Frame};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tower::{ServiceBuilder, ServiceExt};

use super::BodyLayer;
use crate::http::cached::body::{Body, Copied, Framing};

/// Answers one request with these parts: the first at once, each other one when it is told to; then
/// it closes the connection.
async fn server(parts: &'static [&'static str]) -> (SocketAddr, mpsc::UnboundedSender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (go, mut told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
        for (n, part) in parts.iter().enumerate() {
            if n > 0 {
                told.recv().await.unwrap();
            }
            stream.write_all(part.as_bytes()).await.unwrap();
        }
        stream.shutdown().await.unwrap();
    });
    (address, go)
}

type Copies = Arc<Mutex<Vec<Copied>>>;

/// A response whose body is being copied.
async fn call(address: SocketAddr) -> (Pin<Box<Body<Incoming>>>, Copies) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let service = ServiceBuilder::new().layer(BodyLayer::new()).service(client);
    let request = Request::get(format!("http://{address}/")).body(Empty::<Bytes>::new()).unwrap();
    let mut body = service.oneshot(request).await.unwrap().into_body();
    let copies = Copies::default();
    let push = copies.clone();
    body.copy(1000, Framing::default(), move |copied| push.lock().unwrap().extend(copied.ok()));
    assert!(body.is_copied());
    (Box::pin(body), copies)
}

async fn next(body: &mut Pin<Box<Body<Incoming>>>) -> Bytes {
    body.frame().await.unwrap().unwrap().into_data().unwrap()
}

#[tokio::test]
async fn the_first_frame_is_there_while_the_server_holds_the_second_back() {
    for parts in [
        ["HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc", "def"],
        [
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
            "3\r\ndef\r\n0\r\n\r\n",
        ],
    ] {
        let (address, go) = server(Box::leak(Box::new(parts))).await;
        let (mut body, copies) = call(address).await;
        assert_eq!(next(&mut body).await, "abc");
        assert_eq!(copies.lock().unwrap().len(), 0);
        go.send(()).unwrap();
        assert_eq!(next(&mut body).await, "def");
        assert!(body.frame().await.is_none());
        let copies = copies.lock().unwrap();
        assert_eq!(copies.len(), 1);
        assert_eq!(copies[0].data, "abcdef");
        assert_eq!(copies[0].trailers, None);
    }
}

#[tokio::test]
async fn the_last_byte_of_a_known_length_completes_the_copy() {
    let (address, _go) = server(&["HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc"]).await;
    let (mut body, copies) = call(address).await;
    assert_eq!(body.size_hint().exact(), Some(3));
    assert_eq!(next(&mut body).await, "abc");
    drop(body);
    assert_eq!(copies.lock().unwrap()[0].data, "abc");
}

#[tokio::test]
async fn the_trailers_of_chunks_are_copied() {
    let (address, _go) = server(&["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\
         trailer: x-sum\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 7\r\n\r\n"])
    .await;
    let (body, copies) = call(address).await;
    let read = body.collect().await.unwrap();
    assert_eq!(read.trailers().unwrap()["x-sum"], "7");
    let copies = copies.lock().unwrap();
    assert_eq!(copies.len(), 1);
    assert_eq!(copies[0].data, "abc");
    assert_eq!(copies[0].trailers.as_deref().unwrap(), read.trailers().unwrap());
}

#[tokio::test]
async fn a_body_that_is_cut_is_not_kept() {
    for parts in [
        ["HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", ""],
        ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", ""],
        ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", "0\r\n"],
        ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", "9\r\ndef"],
    ] {
        let (address, go) = server(Box::leak(Box::new(parts))).await;
        let (mut body, copies) = call(address).await;
        assert_eq!(next(&mut body).await, "abc");
        go.send(()).unwrap();
        body.collect().await.unwrap_err();
        assert_eq!(Arc::strong_count(&copies), 1, "{parts:?}: the receiver is gone");
        assert_eq!(copies.lock().unwrap().len(), 0, "{parts:?}");
    }
}

/// The response of hyper's server with this body.
async fn served<B>(body: B) -> String
where
    B: HttpBody<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let request = b"GET / HTTP/1.1\r\nhost: a\r\nte: trailers\r\nconnection: close\r\n\r\n";
    client.write_all(request).await.unwrap();
    let body = Mutex::new(Some(body));
    let service = service_fn(|_| {
        let body = body.lock().unwrap().take().unwrap();
        let response = Response::builder().header("trailer", "x-sum").body(body).unwrap();
        std::future::ready(Ok::<_, Infallible>(response))
    });
    http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.unwrap();
    let mut response = String::new();
    client.read_to_string(&mut response).await.unwrap();
    response
}

#[tokio::test]
async fn the_server_of_hyper_reads_far_enough_to_complete_a_copy_and_sends_kept_ones_whole() {
    let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), "7".parse().unwrap())]);
    let data = || Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"abc")));
    let copies = Copies::default();
    let (first, second) = (copies.clone(), copies.clone());

    let frames = stream::iter([data(), Ok(Frame::trailers(trailers.clone()))]);
    let mut body = Body::new(StreamBody::new(frames));
    body.copy(1000, Framing::default(), move |copied| first.lock().unwrap().extend(copied.ok()));
    let fresh = served(body).await;
    assert!(fresh.contains("\r\n3\r\nabc\r\n0\r\nx-sum: 7\r\n"), "{fresh}");

    let mut body = Body::new(Full::<Bytes>::from("abc"));
    body.copy(1000, Framing::default(), move |copied| second.lock().unwrap().extend(copied.ok()));
    let fresh = served(body).await;
    assert!(fresh.ends_with("\r\n\r\nabc") && fresh.contains("content-length: 3\r\n"), "{fresh}");

    let copies = copies.lock().unwrap().clone();
    assert_eq!(copies.len(), 2);
    let kept = served(Body::<Full<Bytes>>::kept(&copies[0])).await;
    assert!(kept.contains("\r\n3\r\nabc\r\n0\r\nx-sum: 7\r\n"), "{kept}");
    let kept = served(Body::<Full<Bytes>>::kept(&copies[1])).await;
    assert!(kept.ends_with("\r\n\r\nabc") && kept.contains("content-length: 3\r\n"), "{kept}");
}
