//! Redis as a Tower service, and a stack of services as a connection.
#![cfg(feature = "redis")]
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests take real time, spawn, and unwrap in their helpers too"
)]
mod support;

use std::{
    error::Error,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use redis::{
    AsyncCommands, Client, Cmd, ErrorKind, Pipeline, RedisError, RedisResult, Script, Value,
    aio::{ConnectionLike, ConnectionManager, MultiplexedConnection},
    cmd, pipe,
};
use support::{Port, RedisServer, wait_for_async};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
use tower_failover::{
    BoxError, Circuit, CircuitBreakerLayer, Classify, ErrorsAreFailures, FallbackLayer, Outcome,
    circuit_breaker::{Open, Policy, State},
    fallback,
    redis::{Connection, RedisService, Stack, Unavailable, Verdict},
};

const SOON: Duration = Duration::from_secs(20);

async fn multiplexed(server: &RedisServer) -> MultiplexedConnection {
    Client::open(server.url()).unwrap().get_multiplexed_async_connection().await.unwrap()
}

/// What typed commands do on a stack must be what they do on the connection itself.
async fn behaves_like_a_connection(mut redis: impl ConnectionLike + Send + Sync + Clone) {
    redis.set::<_, _, ()>("n", 1).await.unwrap();
    assert_eq!(redis.incr::<_, _, u64>("n", 41).await.unwrap(), 42);
    assert_eq!(redis.get::<_, Option<String>>("missing").await.unwrap(), None);
    let error = redis.lpush::<_, _, u64>("n", 1).await.unwrap_err();
    assert_eq!(error.code(), Some("WRONGTYPE"));

    let mut pipeline = pipe();
    pipeline.set("a", "1").ignore().get("a").cmd("INCR").arg("a");
    let (text, n): (String, u64) = pipeline.query_async(&mut redis).await.unwrap();
    assert_eq!((text.as_str(), n), ("1", 2));

    let mut transaction = pipe();
    transaction.atomic().incr("a", 1).ignore().get("a");
    let (n,): (u64,) = transaction.query_async(&mut redis).await.unwrap();
    assert_eq!(n, 3);

    let mut broken = pipe();
    broken.incr("a", 1).lpush("a", 1).get("a");
    let error = broken.query_async::<Value>(&mut redis).await.unwrap_err();
    let places: Vec<_> = error.into_server_errors().unwrap().iter().map(|(at, _)| *at).collect();
    assert_eq!(places, [1]);

    let mut transaction = pipe();
    transaction.atomic().incr("a", 1).lpush("a", 1);
    let error = transaction.query_async::<Value>(&mut redis).await.unwrap_err();
    let places: Vec<_> = error.into_server_errors().unwrap().iter().map(|(at, _)| *at).collect();
    assert_eq!(places, [1]);

    let mut tolerant = pipe();
    tolerant.ignore_errors().incr("a", 1).lpush("a", 1).get("a");
    let items: Vec<RedisResult<u64>> = tolerant.query_async(&mut redis).await.unwrap();
    assert_eq!(items[0].as_ref().unwrap(), items[2].as_ref().unwrap());
    assert_eq!(items[1].as_ref().unwrap_err().code(), Some("WRONGTYPE"));

    let script = Script::new("return redis.call('GET', KEYS[1])");
    let n: u64 = script.key("n").invoke_async(&mut redis).await.unwrap();
    assert_eq!(n, 42);

    let error = pipe().query_async::<Value>(&mut redis).await.unwrap_err();
    assert_eq!(Verdict::of(&error), Verdict::CallersOwn);
}

#[tokio::test]
async fn typed_commands_pipelines_and_scripts_run_through_a_stack_as_on_the_connection() {
    let server = RedisServer::start().await;
    behaves_like_a_connection(multiplexed(&server).await).await;
    let stack = ServiceBuilder::new()
        .concurrency_limit(1)
        .timeout(SOON)
        .service(RedisService::new(multiplexed(&server).await));
    behaves_like_a_connection(Stack::new(stack)).await;
}

#[tokio::test]
async fn every_connection_of_the_client_is_a_service() {
    let server = RedisServer::start().await;
    let client = Client::open(server.url()).unwrap();
    let manager = ConnectionManager::new(client).await.unwrap();
    behaves_like_a_connection(Stack::new(RedisService::new(manager))).await;
    let own = Connection::open(server.url()).unwrap().spawn();
    behaves_like_a_connection(own.clone()).await;
    behaves_like_a_connection(Stack::new(RedisService::new(own))).await;
}

#[tokio::test]
async fn a_cluster_connection_is_a_service() {
    let bus = Port::take();
    let number = bus.number().to_string();
    let args = ["--cluster-enabled", "yes", "--cluster-port", &number];
    let server = RedisServer::start_with(&args).await;
    server.cli(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).await;
    wait_for_async(SOON, "the cluster is up", async || server.try_cli(&["GET", "a"]).await.is_ok())
        .await;
    let client = redis::cluster::ClusterClient::new([server.url()]).unwrap();
    let cluster = client.get_async_connection().await.unwrap();
    let mut redis = Stack::new(RedisService::new(cluster));
    redis.set::<_, _, ()>("n", 1).await.unwrap();
    let mut pipeline = pipe();
    pipeline.incr("n", 1).get("n");
    let items: Vec<u64> = pipeline.query_async(&mut redis).await.unwrap();
    assert_eq!(items, [2, 2]);
}

#[tokio::test]
async fn error_replies_come_out_of_the_service_as_errors() {
    let server = RedisServer::start().await;
    let mut connection = multiplexed(&server).await;
    let get = cmd("LRANGE").arg("text").arg(0).arg(1).clone();
    server.cli(&["SET", "text", "1"]).await;
    let bare = connection.send_packed_command(&get).await;
    assert!(matches!(bare, Ok(Value::ServerError(_))), "the trap is still there");
    let error = RedisService::new(connection.clone()).oneshot(get).await.unwrap_err();
    assert_eq!(error.code(), Some("WRONGTYPE"));

    let script = "return {1, redis.error_reply('NESTED in an array')}";
    let nested = cmd("EVAL").arg(script).arg(0).clone();
    let error = RedisService::new(connection).oneshot(nested).await.unwrap_err();
    assert_eq!(error.code(), Some("NESTED"));
}

#[derive(Debug)]
struct Refused(u32);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused {}", self.0)
    }
}

impl Error for Refused {}

#[tokio::test]
async fn an_error_of_another_type_comes_out_with_the_original_inside() {
    let refuse = service_fn(|_: Cmd| async { Err::<Value, BoxError>(Refused(7).into()) });
    let refuse_all = service_fn(|_: Pipeline| async { Err::<Vec<Value>, BoxError>("no".into()) });
    let mut redis = Stack::split(refuse, refuse_all);
    let error = redis.get::<_, String>("key").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert_eq!(error.to_string(), "refused 7");
    assert_eq!(Stack::refusal::<Refused>(&error).unwrap().0, 7);
    assert!(Stack::refusal::<fmt::Error>(&error).is_none());
    let mut source = error.source();
    while let Some(error) = source.filter(|error| !error.is::<Refused>()) {
        source = error.source();
    }
    assert!(source.is_some(), "sources lead there too");
    assert_eq!(Unavailable.classify(&Err::<(), _>(error)), Outcome::Failure);
    let error = pipe().get("key").query_async::<Value>(&mut redis).await.unwrap_err();
    assert_eq!(error.to_string(), "no");
}

#[tokio::test]
async fn a_boxed_redis_error_comes_out_as_itself() {
    let own = || RedisError::from((ErrorKind::AuthenticationFailed, "no"));
    let boxed = service_fn(move |_: Cmd| async move { Err::<Value, BoxError>(own().into()) });
    let pipelines = service_fn(|_: Pipeline| async { Ok::<Vec<Value>, BoxError>(Vec::new()) });
    let error = Stack::split(boxed, pipelines).get::<_, String>("key").await.unwrap_err();
    assert_eq!(error, own());
}

#[tokio::test]
async fn a_timeout_of_the_stack_may_have_run() {
    let server = RedisServer::start().await;
    let service = RedisService::new(multiplexed(&server).await);
    let layers = ServiceBuilder::new().timeout(Duration::from_millis(50));
    let mut redis = Stack::new(layers.service(service));
    server.pause();
    let error = redis.get::<_, String>("key").await.unwrap_err();
    assert!(Stack::refusal::<tower::timeout::error::Elapsed>(&error).is_some());
    assert!(Unavailable::may_have_run(&error));
    assert_eq!(Verdict::of(&error), Verdict::Unavailable);
}

fn brittle(name: &'static str) -> Circuit {
    Circuit::builder(name).policy(Policy::consecutive(1)).build()
}

#[tokio::test]
async fn a_whole_stack_with_a_circuit_takes_commands_pipelines_and_scripts() {
    let server = RedisServer::start().await;
    let circuit = brittle("redis");
    let stack = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::new(circuit.clone()).classify(Unavailable))
        .timeout(SOON)
        .service(RedisService::new(Connection::open(server.url()).unwrap().spawn()));
    let mut redis = Stack::new(stack);
    behaves_like_a_connection(redis.clone()).await;
    assert_eq!(circuit.state(), State::Closed, "errors of the caller's own do not count");

    circuit.force_open();
    let refused = [
        redis.get::<_, String>("n").await.unwrap_err(),
        pipe().get("n").query_async::<Value>(&mut redis).await.unwrap_err(),
    ];
    for error in refused {
        assert_eq!(Stack::refusal::<Open>(&error).unwrap().circuit(), "redis");
        assert!(error.is_connection_refusal());
        assert!(!Unavailable::may_have_run(&error));
        assert_eq!(Verdict::of(&error), Verdict::Unavailable);
    }
}

#[tokio::test]
async fn errors_of_the_callers_own_never_open_a_circuit_and_a_dead_server_does() {
    let mut server = RedisServer::start().await;
    server.cli(&["SET", "text", "1"]).await;
    let connection = Connection::open(server.url()).unwrap().spawn();
    let (circuit, twin) = (brittle("redis"), brittle("twin"));
    let layer = CircuitBreakerLayer::new(circuit.clone()).classify(Unavailable);
    let mut redis = Stack::new(
        ServiceBuilder::new().layer(layer).service(RedisService::new(connection.clone())),
    );
    let layer = CircuitBreakerLayer::new(twin.clone()).classify(ErrorsAreFailures);
    let mut blind =
        Stack::new(ServiceBuilder::new().layer(layer).service(RedisService::new(connection)));
    for _ in 0..10_000 {
        let error = redis.lpush::<_, _, u64>("text", 1).await.unwrap_err();
        assert_eq!(error.code(), Some("WRONGTYPE"));
    }
    assert_eq!(circuit.state(), State::Closed);
    blind.lpush::<_, _, u64>("text", 1).await.unwrap_err();
    assert_eq!(twin.state(), State::Open, "without the classifier it opens");
    server.kill();
    redis.get::<_, String>("text").await.unwrap_err();
    assert_eq!(circuit.state(), State::Open);
}

#[tokio::test]
async fn a_fallback_answers_commands_and_pipelines_while_the_server_is_dead() {
    let mut server = RedisServer::start().await;
    server.cli(&["SET", "text", "1"]).await;
    let connection = Connection::open(server.url()).unwrap().spawn();
    let circuit = brittle("redis");
    let breaker = CircuitBreakerLayer::new(circuit.clone()).classify(Unavailable);
    let commands = ServiceBuilder::new()
        .layer(FallbackLayer::new(fallback::Value::with(|| Value::Nil)).classify(Unavailable))
        .layer(breaker.clone())
        .service(RedisService::new(connection.clone()));
    let pipelines = ServiceBuilder::new()
        .layer(FallbackLayer::new(fallback::Value::with(|| vec![Value::Nil])).classify(Unavailable))
        .layer(breaker)
        .service(RedisService::new(connection));
    let mut redis = Stack::split(commands, pipelines);
    let mut pipeline = pipe();
    pipeline.get("text");
    assert_eq!(redis.get::<_, Option<u32>>("text").await.unwrap(), Some(1));
    assert_eq!(redis.lpush::<_, _, u64>("text", 1).await.unwrap_err().code(), Some("WRONGTYPE"));
    server.kill();
    for _ in 0..3 {
        assert_eq!(redis.get::<_, Option<u32>>("text").await.unwrap(), None);
        let (text,): (Option<u32>,) = pipeline.query_async(&mut redis).await.unwrap();
        assert_eq!(text, None);
    }
    assert_eq!(circuit.state(), State::Open);
    server.restart().await;
    server.cli(&["SET", "text", "2"]).await;
    wait_for_async(SOON, "the server answers again", async || {
        redis.get::<_, Option<u32>>("text").await.unwrap() == Some(2)
    })
    .await;
}

/// Ready only at the second poll; counts calls that were not preceded by readiness.
#[derive(Clone, Default)]
struct Shy {
    polls: u32,
    is_ready: bool,
    unready_calls: Arc<AtomicU32>,
    calls: Arc<AtomicU32>,
}

impl Service<Cmd> for Shy {
    type Response = Value;
    type Error = BoxError;
    type Future = std::future::Ready<Result<Value, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.polls += 1;
        if self.polls % 2 == 1 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Cmd) -> Self::Future {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if !std::mem::take(&mut self.is_ready) {
            self.unready_calls.fetch_add(1, Ordering::Relaxed);
        }
        std::future::ready(Ok(Value::Okay))
    }
}

#[tokio::test]
async fn a_stack_calls_the_instance_that_it_polled_ready() {
    let shy = Shy::default();
    let pipelines = service_fn(|_: Pipeline| async { Ok::<Vec<Value>, BoxError>(Vec::new()) });
    let mut redis = Stack::split(shy.clone(), pipelines);
    for _ in 0..10 {
        cmd("PING").query_async::<()>(&mut redis).await.unwrap();
        cmd("PING").query_async::<()>(&mut redis.clone()).await.unwrap();
    }
    assert_eq!(shy.calls.load(Ordering::Relaxed), 20);
    assert_eq!(shy.unready_calls.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_part_of_a_pipeline_is_refused_and_not_sent() {
    let server = RedisServer::start().await;
    let mut redis = Stack::new(RedisService::new(multiplexed(&server).await)).db(3);
    let mut pipeline = pipe();
    pipeline.incr("n", 1).incr("n", 1);
    let error = redis.req_packed_commands(&pipeline, 1, 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Client);
    assert_eq!(server.cli(&["GET", "n"]).await, Value::Nil);
    assert_eq!(redis.get_db(), 3);
}

#[test]
fn everything_here_is_send_and_clone_where_it_says_so() {
    fn clone_send_sync<T: Clone + Send + Sync + fmt::Debug + 'static>() {}
    fn send<T: Send + fmt::Debug + 'static>() {}
    clone_send_sync::<Connection>();
    clone_send_sync::<RedisService<Connection>>();
    clone_send_sync::<Stack<RedisService<Connection>>>();
    clone_send_sync::<tower_failover::redis::Disconnected>();
    clone_send_sync::<tower_failover::redis::Connector>();
    send::<tower_failover::redis::Driver>();
    send::<tower_failover::redis::future::ResponseFuture<Value>>();
}
