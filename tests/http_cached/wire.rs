//! Over the wire: when a body has ended, and when it was cut.

use std::{convert::Infallible, net::SocketAddr};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, Version};
use http_body::Frame;
use http_body_util::{BodyExt, Collected, Empty, StreamBody};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
use tower_failover::{
    BoxError,
    http::cached::{self, CacheLayer, Page, Pages},
};

pub(crate) type Plain = Client<HttpConnector, Empty<Bytes>>;

pub(crate) fn client(is_http2: bool) -> Plain {
    Client::builder(TokioExecutor::new()).http2_only(is_http2).build_http()
}

pub(crate) fn get(address: SocketAddr) -> Request<Empty<Bytes>> {
    Request::get(format!("http://{address}/")).body(Empty::new()).unwrap()
}

/// A server of connections that this function answers, each in a task.
#[expect(clippy::disallowed_methods, reason = "tests spawn openly")]
async fn listen<F>(answer: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            tokio::spawn(answer(socket));
        }
    });
    address
}

/// A server of HTTP/1 and HTTP/2 that answers by this service.
pub(crate) async fn serve<S>(service: S) -> SocketAddr
where
    S: Service<
            Request<hyper::body::Incoming>,
            Response = Response<Body>,
            Error = BoxError,
            Future: Send,
        > + Clone
        + Send
        + 'static,
{
    listen(move |socket| {
        let service = TowerToHyperService::new(service.clone());
        async move {
            let server = auto::Builder::new(TokioExecutor::new());
            let _ = server.serve_connection(TokioIo::new(socket), service).await;
        }
    })
    .await
}

/// What the second of two callers is told by a cache before this origin; the first reads to the end.
async fn second(client: Plain, address: SocketAddr) -> (String, String) {
    let pages = Page::cache("pages").spawn();
    let site = ServiceBuilder::new().layer(CacheLayer::new(pages, Pages::new())).service(client);
    let first = site.clone().oneshot(get(address)).await.unwrap();
    let read = first.into_body().collect().await.map(Collected::to_bytes);
    let second = site.oneshot(get(address)).await.unwrap();
    let status = second.headers()["cache-status"].to_str().unwrap().to_owned();
    assert!(status != STORED || second.version() == Version::HTTP_11);
    (status, read.map_or("cut".into(), |read| String::from_utf8(read.to_vec()).unwrap()))
}

const STORED: &str = "pages; hit; ttl=60";

#[tokio::test]
async fn promise_8_a_body_that_ends_with_its_connection_is_not_kept() {
    let table = [
        ("HTTP/1.0 200 OK\r\n", "half of a pa", false),
        ("HTTP/1.0 200 OK\r\ncontent-length: 12\r\n", "half of a pa", true),
        ("HTTP/1.1 200 OK\r\nconnection: close\r\n", "half of a pa", false),
        ("HTTP/1.1 200 OK\r\nconnection: x, Close\r\n", "half of a pa", false),
        ("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 12\r\n", "half of a pa", true),
        (
            "HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n",
            "c\r\nhalf of a pa\r\n0\r\n\r\n",
            true,
        ),
    ];
    for (head, body, is_kept) in table {
        let address = listen(move |mut socket| async move {
            let mut request = [0; 4096];
            assert!(socket.read(&mut request).await.unwrap() > 0);
            let head = format!("{head}cache-control: max-age=60\r\n\r\n{body}");
            socket.write_all(head.as_bytes()).await.unwrap();
        })
        .await;
        let (status, read) = second(client(false), address).await;
        assert_eq!(read, "half of a pa", "hyper takes it for the whole");
        assert_eq!(status == STORED, is_kept, "{head}: {status}");
    }
}

/// Frames of HTTP/2: a head, half of a page, and the end of the stream by `flags`, or its reset for
/// this reason.
async fn half_a_page(mut socket: TcpStream, end: Result<(), u8>) {
    let mut preface = [0; 24];
    socket.read_exact(&mut preface).await.unwrap();
    socket.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    let mut head = [0; 9];
    while socket.read_exact(&mut head).await.is_ok() {
        let length = usize::from(head[1]) << 8 | usize::from(head[2]);
        socket.read_exact(&mut vec![0; length]).await.unwrap();
        let stream = &head[5..9];
        match head[3] {
            4 if head[4] & 1 == 0 => {
                socket.write_all(&[0, 0, 0, 4, 1, 0, 0, 0, 0]).await.unwrap();
            }
            1 => {
                // `:status: 200`, and `cache-control` by its place in the static table.
                let headers = [&[0x88, 0x0f, 0x09, 10], b"max-age=60".as_slice()].concat();
                let mut out = vec![0, 0, u8::try_from(headers.len()).unwrap(), 1, 4];
                out.extend(
                    [stream, &headers, &[0, 0, 12, 0, u8::from(end.is_ok())], stream].concat(),
                );
                out.extend(b"half of a pa");
                if let Err(reason) = end {
                    out.extend([&[0, 0, 4, 3, 0], stream, &[0, 0, 0, reason]].concat());
                }
                socket.write_all(&out).await.unwrap();
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn promise_8_a_body_whose_stream_was_reset_without_an_error_is_not_kept() {
    let (no_error, cancel) = (0, 8);
    for end in [Ok(()), Err(no_error), Err(cancel)] {
        let address = listen(move |socket| half_a_page(socket, end)).await;
        let (status, read) = second(client(true), address).await;
        assert!(read == "half of a pa" || end.is_err(), "{read}");
        assert_eq!(status == STORED, end.is_ok(), "{end:?}: {status}");
    }
}

#[tokio::test]
async fn promise_9_a_page_whose_trailers_are_for_one_caller_is_shown_to_nobody_else() {
    let names = ["set-cookie", "cache-control", "vary", "age", "proxy-authenticate", "x-sum"];
    for name in names {
        let origin = service_fn(move |_| {
            let trailers =
                HeaderMap::from_iter([(name.parse().unwrap(), "alice".parse().unwrap())]);
            let frames = [Frame::data(Bytes::from("page")), Frame::trailers(trailers)];
            let frames = futures::stream::iter(frames.map(Ok::<_, Infallible>));
            let page = Response::builder().header("cache-control", "max-age=60");
            std::future::ready(Ok(page.body(Body::new(StreamBody::new(frames))).unwrap()))
        });
        let (address, client) = (serve(kept(origin)).await, client(true));
        for caller in ["alice", "bob"] {
            let response = client.request(get(address)).await.unwrap();
            let is_kept = response.headers()["cache-status"] == STORED;
            let read = response.into_body().collect().await.unwrap();
            assert_eq!(is_kept, caller == "bob" && name == "x-sum", "{name}");
            assert!(name != "x-sum" || read.trailers().unwrap()[name] == "alice");
            assert_eq!(read.to_bytes(), "page");
        }
    }
}

/// Keeps what this origin answers.
fn kept<S>(
    origin: S,
) -> impl Service<
    Request<hyper::body::Incoming>,
    Response = Response<Body>,
    Error = BoxError,
    Future: Send,
> + Clone
+ Send
where
    S: Service<
            Request<hyper::body::Incoming>,
            Response = Response<Body>,
            Error = BoxError,
            Future: Send,
        > + Clone
        + Send
        + 'static,
{
    ServiceBuilder::new()
        .map_response(|it: Response<cached::Body<Body>>| it.map(Body::new))
        .layer(CacheLayer::new(Page::cache("pages").spawn(), Pages::new()))
        .service(origin)
}

#[tokio::test]
async fn promise_8_a_body_is_kept_that_hyper_drops_after_its_content_length() {
    for is_http2 in [false, true] {
        let origin = service_fn(|_| {
            let chunks = futures::stream::iter(["hello ", "world"].map(Ok::<_, Infallible>));
            let page = Response::builder()
                .header("cache-control", "max-age=60")
                .header("content-length", 11);
            std::future::ready(Ok(page.body(Body::from_stream(chunks)).unwrap()))
        });
        let address = serve(kept(origin)).await;
        let client = client(is_http2);
        let first = client.request(get(address)).await.unwrap();
        assert_eq!(first.into_body().collect().await.unwrap().to_bytes(), "hello world");
        let second = client.request(get(address)).await.unwrap();
        assert_eq!(second.headers()["cache-status"], STORED, "{is_http2}");
    }
}
