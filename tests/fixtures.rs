//! The server helper and the fault proxy do what the other tests rely on.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do, and spawn openly"
)]

mod support;

use std::{
    io::{BufRead, BufReader, ErrorKind},
    net::TcpStream as BlockingStream,
    process::{Child, Command, Stdio},
    time::Duration,
};

use redis::{AsyncConnectionConfig, Client, Cmd, RedisError, Value, aio::MultiplexedConnection};
use support::{Accept, Direction, Flow, Proxy, RedisServer, Scope, wait_for, wait_for_async};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, timeout},
};

/// Long enough for every answer that comes, on a busy machine too.
const SOON: Duration = Duration::from_secs(20);
/// How long an answer is awaited that must not come.
const NEVER: Duration = Duration::from_millis(200);

async fn connection(url: &str, response: Duration) -> MultiplexedConnection {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(SOON))
        .set_response_timeout(Some(response));
    let client = Client::open(url).unwrap();
    client.get_multiplexed_async_connection_with_config(&config).await.unwrap()
}

async fn ping(connection: &mut MultiplexedConnection) -> Result<Value, RedisError> {
    connection.send_packed_command(Cmd::new().arg("PING")).await
}

fn refuses(port: u16) -> bool {
    BlockingStream::connect(("127.0.0.1", port))
        .is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

/// A server that answers every connection with what it was sent.
async fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    port
}

async fn dial(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap()
}

/// Sends `bytes` and reads as many back.
async fn round_trip(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(bytes).await?;
    let mut answer = vec![0; bytes.len()];
    timeout(SOON, stream.read_exact(&mut answer)).await??;
    Ok(answer)
}

/// Reads what arrives until the end of the stream or its reset.
async fn rest(stream: &mut TcpStream) -> (Vec<u8>, std::io::Result<()>) {
    let mut bytes = Vec::new();
    let end = timeout(SOON, stream.read_to_end(&mut bytes)).await.unwrap();
    (bytes, end.map(|_| ()))
}

#[tokio::test]
async fn a_server_answers_on_a_port_of_its_own_and_never_on_6379() {
    let (one, other) = tokio::join!(RedisServer::start(), RedisServer::start());
    assert_ne!(one.port(), other.port());
    for server in [&one, &other] {
        assert_ne!(server.port(), 6379);
        assert_eq!(server.cli(&["PING"]).await, Value::SimpleString("PONG".into()));
        let mut connection = connection(&server.url(), SOON).await;
        assert_eq!(ping(&mut connection).await.unwrap(), Value::SimpleString("PONG".into()));
    }
}

#[tokio::test]
async fn a_killed_server_refuses_and_comes_back_on_the_same_port() {
    let mut server = RedisServer::start().await;
    for _ in 0..5 {
        let (port, pid) = (server.port(), server.pid());
        let mut connection = connection(&server.url(), SOON).await;
        ping(&mut connection).await.unwrap();
        server.kill();
        assert!(refuses(port));
        assert!(ping(&mut connection).await.is_err());
        server.restart().await;
        assert_eq!(server.port(), port);
        assert_ne!(server.pid(), pid);
        assert_eq!(server.cli(&["PING"]).await, Value::SimpleString("PONG".into()));
    }
}

#[tokio::test]
async fn the_port_of_a_killed_server_is_given_to_nobody_else() {
    let mut server = RedisServer::start().await;
    server.kill();
    for _ in 0..10_000 {
        let attempt = TcpStream::connect(("127.0.0.1", server.port())).await;
        assert_eq!(attempt.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }
    server.restart().await;
}

#[tokio::test]
async fn a_restarted_server_has_the_changed_arguments() {
    let mut server = RedisServer::start().await;
    server.cli(&["SET", "key", "value"]).await;
    server.restart_with(&["--requirepass", "secret", "--appendonly", "yes"]).await;
    assert_eq!(server.cli(&["EXISTS", "key"]).await, Value::Int(0));

    let mut stranger = connection(&server.url_as("", ""), SOON).await;
    let refused = ping(&mut stranger).await.and_then(Value::extract_error).unwrap_err();
    assert_eq!(refused.code(), Some("NOAUTH"));
    let mut friend = connection(&server.url(), SOON).await;
    ping(&mut friend).await.and_then(Value::extract_error).unwrap();

    server.cli(&["SET", "key", "kept"]).await;
    server.restart().await;
    assert_eq!(server.cli(&["GET", "key"]).await, Value::BulkString(b"kept".to_vec()));
}

#[tokio::test]
async fn a_paused_server_answers_nothing_until_it_is_resumed() {
    let server = RedisServer::start().await;
    let mut impatient = connection(&server.url(), NEVER).await;
    let mut patient = connection(&server.url(), SOON).await;
    for _ in 0..5 {
        server.pause();
        assert!(ping(&mut impatient).await.unwrap_err().is_timeout());
        let answer = tokio::spawn({
            let mut patient = patient.clone();
            async move { ping(&mut patient).await }
        });
        server.resume();
        answer.await.unwrap().unwrap();
        ping(&mut patient).await.unwrap();
    }
}

#[tokio::test]
async fn a_paused_server_can_be_killed_and_restarted() {
    let mut server = RedisServer::start().await;
    server.pause();
    server.kill();
    assert!(refuses(server.port()));
    server.restart().await;
    server.pause();
    server.restart().await;
    server.cli(&["PING"]).await;
}

#[tokio::test]
async fn a_server_that_ended_by_itself_is_noticed() {
    let mut server = RedisServer::start().await;
    let _ = server.try_cli(&["SHUTDOWN", "NOSAVE"]).await;
    server.wait_until_down().await;
    assert!(refuses(server.port()));
    server.launch();
    server.wait_until_ready().await;
}

#[tokio::test]
#[should_panic(expected = "Bad directive")]
async fn a_server_that_does_not_start_shows_its_log() {
    RedisServer::start_with(&["--no-such-option", "1"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_starts_where_the_clock_of_tokio_stands_still() {
    let begun = Instant::now();
    let mut server = RedisServer::start().await;
    server.restart().await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_dropped_server_leaves_no_process_and_no_files() {
    let server = RedisServer::start().await;
    let (port, dir) = (server.port(), server.dir().to_owned());
    assert!(dir.exists());
    drop(server);
    assert!(refuses(port));
    assert!(!dir.exists());
}

/// Runs the test of this name in a process of its own, which tells the port of its server.
fn elsewhere(test: &str) -> (Child, u16) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("FIXTURE_IS_ELSEWHERE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let port = lines.find_map(|line| line.unwrap().split_once("port=")?.1.parse().ok());
    (child, port.expect("the other process tells a port"))
}

/// Starts a server in the other process and leaves it there, or kills that process from this one.
async fn dies_with_its_process(test: &str, paused: bool) {
    if std::env::var_os("FIXTURE_IS_ELSEWHERE").is_some() {
        let server = RedisServer::start().await;
        if paused {
            server.pause();
        }
        println!("\nport={}", server.port());
        let mut end = String::new();
        std::io::stdin().read_line(&mut end).unwrap();
        return;
    }
    let (mut child, port) = elsewhere(test);
    assert!(BlockingStream::connect(("127.0.0.1", port)).is_ok());
    child.kill().unwrap();
    child.wait().unwrap();
    wait_for(SOON, "the server is gone with its process", || refuses(port)).await;
}

#[tokio::test]
async fn a_server_dies_with_the_process_that_started_it() {
    dies_with_its_process("a_server_dies_with_the_process_that_started_it", false).await;
}

#[tokio::test]
async fn a_paused_server_dies_with_the_process_that_started_it() {
    dies_with_its_process("a_paused_server_dies_with_the_process_that_started_it", true).await;
}

#[tokio::test]
async fn a_server_outlives_the_thread_that_started_it() {
    let server = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(RedisServer::start())
    });
    let server = server.join().unwrap();
    server.cli(&["PING"]).await;
}

#[tokio::test]
async fn a_proxy_that_passes_changes_nothing() {
    let server = RedisServer::start().await;
    let proxy = Proxy::start(server.port());
    let mut connection = connection(&proxy.url(), SOON).await;
    let value = vec![b'v'; 1 << 20];
    let set = Cmd::new().arg("SET").arg("key").arg(&value).to_owned();
    connection.send_packed_command(&set).await.unwrap();
    let get = Cmd::new().arg("GET").arg("key").to_owned();
    let answer = connection.send_packed_command(&get).await.unwrap();
    assert_eq!(answer, Value::BulkString(value));

    let counts = proxy.counts();
    assert_eq!(counts.accepted, 1);
    assert!(counts.to_server > 1 << 20 && counts.to_client > 1 << 20, "{counts:?}");
    assert_eq!((counts.held, counts.dropped, counts.garbled, counts.cut), (0, 0, 0, 0));
    drop(connection);
    wait_for(SOON, "both ends are closed", || proxy.established() == 0).await;
}

#[tokio::test]
async fn held_replies_arrive_once_they_pass() {
    let server = RedisServer::start().await;
    let proxy = Proxy::start(server.port());
    let mut impatient = connection(&proxy.url(), NEVER).await;
    proxy.set(Direction::ToClient, Flow::Hold, Scope::All);
    let incr = Cmd::new().arg("INCR").arg("n").to_owned();
    assert!(impatient.send_packed_command(&incr).await.unwrap_err().is_timeout());
    assert_eq!(server.cli(&["GET", "n"]).await, Value::BulkString(b"1".to_vec()));
    assert_eq!(proxy.counts().held, 1);
    proxy.heal().await;
    assert_eq!(impatient.send_packed_command(&incr).await.unwrap(), Value::Int(2));
}

#[tokio::test]
async fn a_held_request_of_a_closed_connection_still_arrives() {
    let server = RedisServer::start().await;
    let proxy = Proxy::start(server.port());
    let mut first = connection(&proxy.url(), NEVER).await;
    proxy.set(Direction::ToServer, Flow::Hold, Scope::Established);
    let write = |value: &str| Cmd::new().arg("SET").arg("key").arg(value).to_owned();
    assert!(first.send_packed_command(&write("old")).await.unwrap_err().is_timeout());
    drop(first);
    let mut second = connection(&proxy.url(), SOON).await;
    second.send_packed_command(&write("new")).await.unwrap();
    proxy.heal().await;
    wait_for_async(SOON, "the late write is applied", async || {
        server.cli(&["GET", "key"]).await == Value::BulkString(b"old".to_vec())
    })
    .await;
    assert!(proxy.counts().held > 0);
}

#[tokio::test]
async fn an_established_connection_goes_silent_while_new_ones_are_fine() {
    let server = RedisServer::start().await;
    let proxy = Proxy::start(server.port());
    for direction in [Direction::ToServer, Direction::ToClient] {
        let dropped = proxy.counts().dropped;
        let mut old = connection(&proxy.url(), NEVER).await;
        proxy.set(direction, Flow::Drop, Scope::Established);
        let mut new = connection(&proxy.url(), SOON).await;
        assert!(ping(&mut old).await.unwrap_err().is_timeout());
        ping(&mut new).await.unwrap();
        assert!(proxy.counts().dropped > dropped);

        proxy.heal().await;
        assert!(ping(&mut old).await.unwrap_err().is_timeout());
        ping(&mut new).await.unwrap();
    }
}

#[tokio::test]
async fn dropping_on_all_connections_reaches_new_ones() {
    let proxy = Proxy::start(echo().await);
    proxy.set_both(Flow::Drop, Scope::All);
    let mut stream = dial(&proxy).await;
    stream.write_all(b"lost").await.unwrap();
    assert!(timeout(NEVER, stream.read_u8()).await.is_err());
    wait_for(SOON, "the bytes are counted", || proxy.counts().dropped == 4).await;
}

#[tokio::test]
async fn delayed_bytes_arrive_late() {
    let proxy = Proxy::start(echo().await);
    let mut stream = dial(&proxy).await;
    let late = Duration::from_millis(100);
    proxy.set_both(Flow::Delay(late), Scope::All);
    let begun = Instant::now();
    assert_eq!(round_trip(&mut stream, b"hello").await.unwrap(), b"hello");
    assert!(begun.elapsed() >= late * 2, "{:?}", begun.elapsed());
    assert_eq!(proxy.counts().delayed, 2);
}

#[tokio::test]
async fn a_connection_is_cut_after_so_many_bytes() {
    let proxy = Proxy::start(echo().await);
    let mut stream = dial(&proxy).await;
    round_trip(&mut stream, b"before").await.unwrap();
    proxy.set(Direction::ToClient, Flow::CutAfter(7), Scope::All);
    assert_eq!(round_trip(&mut stream, b"abcd").await.unwrap(), b"abcd");
    stream.write_all(b"efgh").await.unwrap();
    let (bytes, _) = rest(&mut stream).await;
    assert_eq!(bytes, b"efg");
    assert_eq!(proxy.counts().cut, 1);
    wait_for(SOON, "both ends are closed", || proxy.established() == 0).await;

    let mut next = dial(&proxy).await;
    assert_eq!(round_trip(&mut next, b"123456").await.unwrap(), b"123456");
    proxy.set(Direction::ToClient, Flow::CutAfter(7), Scope::All);
    assert_eq!(round_trip(&mut next, b"123456").await.unwrap(), b"123456");
    proxy.heal().await;
    assert_eq!(round_trip(&mut next, b"123456").await.unwrap(), b"123456");
    assert_eq!(proxy.counts().cut, 1);
}

#[tokio::test]
async fn garbage_is_understood_by_neither_side() {
    let server = RedisServer::start().await;
    let proxy = Proxy::start(server.port());
    for direction in [Direction::ToServer, Direction::ToClient] {
        let garbled = proxy.counts().garbled;
        let mut connection = connection(&proxy.url(), SOON).await;
        proxy.set(direction, Flow::Garbage, Scope::Established);
        assert!(ping(&mut connection).await.and_then(Value::extract_error).is_err());
        assert!(proxy.counts().garbled > garbled);
    }
}

#[tokio::test]
async fn established_connections_are_reset_once() {
    let proxy = Proxy::start(echo().await);
    let mut streams = [dial(&proxy).await, dial(&proxy).await];
    for stream in &mut streams {
        round_trip(stream, b"hello").await.unwrap();
    }
    proxy.reset_established();
    for stream in &mut streams {
        let (_, end) = rest(stream).await;
        assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
    assert_eq!(proxy.counts().broken, 2);
    assert_eq!(round_trip(&mut dial(&proxy).await, b"hello").await.unwrap(), b"hello");
}

#[tokio::test]
async fn new_connections_are_refused_and_accepted_again() {
    let proxy = Proxy::start(echo().await);
    let mut established = dial(&proxy).await;
    round_trip(&mut established, b"hello").await.unwrap();
    for _ in 0..200 {
        proxy.accept(Accept::Refuse).await;
        assert!(refuses(proxy.port()));
        round_trip(&mut established, b"hello").await.unwrap();
        proxy.accept(Accept::Pass).await;
        round_trip(&mut dial(&proxy).await, b"hello").await.unwrap();
    }
}

#[tokio::test]
async fn new_connections_are_reset() {
    let proxy = Proxy::start(echo().await);
    proxy.accept(Accept::Reset).await;
    let (_, end) = rest(&mut dial(&proxy).await).await;
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(proxy.counts().reset, 1);
    proxy.heal().await;
    round_trip(&mut dial(&proxy).await, b"hello").await.unwrap();
}

#[tokio::test]
async fn new_connections_are_accepted_and_never_answered() {
    let proxy = Proxy::start(echo().await);
    proxy.accept(Accept::Mute).await;
    let mut stream = dial(&proxy).await;
    stream.write_all(b"hello").await.unwrap();
    assert!(timeout(NEVER, stream.read_u8()).await.is_err());
    assert_eq!(proxy.counts().muted, 1);
    proxy.heal().await;
    round_trip(&mut dial(&proxy).await, b"hello").await.unwrap();
}

#[tokio::test]
async fn a_proxy_without_a_server_resets_and_finds_the_server_again() {
    let mut server = RedisServer::start().await;
    let proxy = Proxy::start(server.port());
    server.kill();
    let (_, end) = rest(&mut dial(&proxy).await).await;
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
    server.restart().await;
    ping(&mut connection(&proxy.url(), SOON).await).await.unwrap();

    proxy.set_upstream(echo().await);
    round_trip(&mut dial(&proxy).await, b"hello").await.unwrap();
}

#[tokio::test]
async fn everything_ends_with_the_proxy() {
    let proxy = Proxy::start(echo().await);
    let port = proxy.port();
    let mut established = dial(&proxy).await;
    round_trip(&mut established, b"hello").await.unwrap();
    proxy.accept(Accept::Mute).await;
    let mut muted = dial(&proxy).await;
    wait_for_async(SOON, "the second connection is accepted", async || {
        tokio::task::yield_now().await;
        proxy.counts().muted == 1
    })
    .await;
    drop(proxy);
    assert!(rest(&mut established).await.0.is_empty());
    assert!(rest(&mut muted).await.0.is_empty());
    wait_for_async(SOON, "nobody listens", async || {
        tokio::task::yield_now().await;
        refuses(port)
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "in vain: the sky falls")]
async fn waiting_in_vain_says_for_what() {
    wait_for(Duration::from_millis(1), "the sky falls", || false).await;
}
