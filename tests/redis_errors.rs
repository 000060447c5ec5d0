//! What each error of a real server says about it.
#![cfg(feature = "redis")]
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests take real time, spawn, and unwrap in their helpers too"
)]
mod support;

use std::{fs, io::Read, net::TcpStream, time::Duration};

use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, Pipeline, RedisError, Value,
    aio::MultiplexedConnection, cmd, pipe,
};
use support::{Direction, Flow, Port, Proxy, RedisServer, Scope, wait_for_async};
use tower::{Layer, ServiceExt};
use tower_failover::{
    BoxError, Classify, Outcome,
    fallback::cached::{Cache, Cached, CoalesceLayer, SharedError},
    redis::{RedisService, Unavailable, Verdict},
};

const SOON: Duration = Duration::from_secs(20);

async fn connect(url: &str) -> MultiplexedConnection {
    connect_within(url, SOON).await
}

async fn connect_within(url: &str, response: Duration) -> MultiplexedConnection {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(SOON))
        .set_response_timeout(Some(response));
    Client::open(url).unwrap().get_multiplexed_async_connection_with_config(&config).await.unwrap()
}

fn command(words: &[&str]) -> Cmd {
    let mut command = Cmd::new();
    command.arg(words);
    command
}

async fn error_on(connection: &MultiplexedConnection, words: &[&str]) -> RedisError {
    let service = RedisService::new(connection.clone());
    service.oneshot(command(words)).await.expect_err("the server refuses this")
}

async fn error_of(server: &RedisServer, words: &[&str]) -> RedisError {
    error_on(&connect(&server.url()).await, words).await
}

async fn pipeline_error(server: &RedisServer, commands: &Pipeline) -> RedisError {
    let service = RedisService::new(connect(&server.url()).await);
    service.oneshot(commands.clone()).await.expect_err("the server refuses this")
}

/// Checks the error as its own type and boxed.
#[track_caller]
fn assert_judged(error: RedisError, verdict: Verdict, may_have_run: bool) {
    let outcome = match verdict {
        Verdict::CallersOwn => Outcome::Success,
        Verdict::WritesRefused | Verdict::Unavailable => Outcome::Failure,
    };
    assert_eq!(Verdict::of(&error), verdict, "{error}");
    assert_eq!(Unavailable::may_have_run(&error), may_have_run, "{error}");
    assert_eq!(Unavailable.classify(&Err::<Value, _>(error.clone())), outcome, "{error}");
    let boxed: BoxError = error.into();
    assert_eq!(Verdict::of(&*boxed), verdict, "{boxed}");
    assert_eq!(Unavailable::may_have_run(&*boxed), may_have_run, "{boxed}");
    assert_eq!(Unavailable.classify(&Err::<Value, _>(boxed)), outcome);
}

#[track_caller]
fn assert_reply(error: RedisError, code: &str, verdict: Verdict) {
    assert_eq!(error.code(), Some(code), "{error}");
    assert_judged(error, verdict, false);
}

#[tokio::test]
async fn wrongtype_is_the_callers_own() {
    let server = RedisServer::start().await;
    server.cli(&["SET", "text", "1"]).await;
    let error = error_of(&server, &["LPUSH", "text", "2"]).await;
    assert_reply(error, "WRONGTYPE", Verdict::CallersOwn);
}

#[tokio::test]
async fn err_is_the_callers_own_and_says_nothing_about_what_ran() {
    let server = RedisServer::start().await;
    let error = error_of(&server, &["SET", "alone"]).await;
    assert_eq!(error.code(), Some("ERR"));
    assert_judged(error, Verdict::CallersOwn, true);
}

#[tokio::test]
async fn noperm_is_the_callers_own() {
    let server = RedisServer::start().await;
    server.cli(&["ACL", "SETUSER", "app", "on", ">secret", "~*", "+get"]).await;
    let connection = connect(&server.url_as("app", "secret")).await;
    assert_reply(error_on(&connection, &["SET", "a", "1"]).await, "NOPERM", Verdict::CallersOwn);
}

#[tokio::test]
async fn noscript_is_the_callers_own() {
    let server = RedisServer::start().await;
    let sha = "0".repeat(40);
    let error = error_of(&server, &["EVALSHA", &sha, "0"]).await;
    assert_reply(error, "NOSCRIPT", Verdict::CallersOwn);
}

#[tokio::test]
async fn a_custom_error_of_a_script_is_the_callers_own() {
    let server = RedisServer::start().await;
    let script = "return redis.error_reply('STALE version 3')";
    let error = error_of(&server, &["EVAL", script, "0"]).await;
    assert_eq!(error.code(), Some("STALE"));
    assert_judged(error, Verdict::CallersOwn, true);
}

#[tokio::test]
async fn an_error_in_the_middle_of_a_script_may_leave_half_of_it_done() {
    let server = RedisServer::start().await;
    let script = "redis.call('SET', KEYS[1], 1) return redis.call('LPUSH', KEYS[1], 2)";
    let error = error_of(&server, &["EVAL", script, "1", "half"]).await;
    assert_eq!(error.code(), Some("WRONGTYPE"));
    assert_judged(error, Verdict::CallersOwn, true);
    assert_eq!(server.cli(&["GET", "half"]).await, Value::BulkString(b"1".to_vec()));
}

/// Runs the script, whose error is judged alone and together with the command.
async fn judge_script(server: &RedisServer, words: &[&str], alone: bool) -> RedisError {
    let error = error_of(server, words).await;
    assert_eq!(Unavailable::may_have_run(&error), alone, "{error}");
    assert!(Unavailable::command_may_have_run(&command(words), &error), "{error}");
    let boxed: BoxError = error.clone().into();
    assert!(Unavailable::command_may_have_run(&command(words), &*boxed), "{error}");
    error
}

#[tokio::test]
async fn a_script_that_hands_out_the_error_of_a_command_may_have_run() {
    let server = RedisServer::start().await;
    let script = "redis.call('SET', KEYS[1], 1) return redis.pcall('LPUSH', KEYS[1], 2)";
    let error = judge_script(&server, &["EVAL", script, "1", "half"], false).await;
    assert_eq!(error.code(), Some("WRONGTYPE"));
    assert_eq!(server.cli(&["GET", "half"]).await, Value::BulkString(b"1".to_vec()));

    let sha = server.cli(&["SCRIPT", "LOAD", script]).await;
    let sha: String = redis::from_redis_value(sha).unwrap();
    judge_script(&server, &["evalsha", &sha, "1", "other half"], false).await;
    assert_eq!(server.cli(&["GET", "other half"]).await, Value::BulkString(b"1".to_vec()));
}

#[tokio::test]
async fn a_script_that_makes_up_an_error_may_have_run() {
    let server = RedisServer::start().await;
    for reply in ["OOM nope", "READONLY nope", "NOSCRIPT nope", "LOADING nope", "CUSTOM nope"] {
        let script = format!("redis.call('INCR', 'n') return redis.error_reply('{reply}')");
        let is_known_to_be_custom = reply.starts_with("CUSTOM");
        let error = judge_script(&server, &["EVAL", &script, "0"], is_known_to_be_custom).await;
        assert!(Unavailable::command_may_have_run(&cmd("FCALL"), &error), "{error}");
        assert_eq!(Unavailable::command_may_have_run(&cmd("SET"), &error), is_known_to_be_custom);
    }
    assert_eq!(server.cli(&["GET", "n"]).await, Value::BulkString(b"5".to_vec()));
}

#[tokio::test]
async fn a_transaction_whose_replies_hold_an_error_has_run() {
    let server = RedisServer::start().await;
    server.cli(&["SET", "text", "1"]).await;
    let connection = connect(&server.url()).await;
    for words in [&["MULTI"][..], &["SET", "done", "1"], &["LPUSH", "text", "2"]] {
        RedisService::new(connection.clone()).oneshot(command(words)).await.unwrap();
    }
    let error = error_on(&connection, &["EXEC"]).await;
    assert_eq!(error.code(), Some("WRONGTYPE"));
    assert!(Unavailable::command_may_have_run(&cmd("EXEC"), &error));
    assert_eq!(server.cli(&["GET", "done"]).await, Value::BulkString(b"1".to_vec()));
}

#[tokio::test]
async fn a_script_in_a_pipeline_may_have_run_whatever_it_answers() {
    let server = RedisServer::start().await;
    let mut alone = pipe();
    alone.cmd("EVAL").arg("return redis.error_reply('OOM nope')").arg(0);
    assert!(Unavailable::may_have_run(&pipeline_error(&server, &alone).await));
    assert!(Unavailable::may_have_run(&pipeline_error(&server, alone.atomic()).await));
}

#[tokio::test]
async fn a_script_that_was_not_sent_and_one_that_cannot_write_are_judged_as_any_command() {
    let port = Port::take();
    let client = Client::open(format!("redis://127.0.0.1:{}/", port.number())).unwrap();
    let refused = client.get_multiplexed_async_connection().await.unwrap_err();
    assert!(!Unavailable::command_may_have_run(&cmd("EVAL"), &refused));

    let server = RedisServer::start().await;
    server.cli(&["SET", "text", "1"]).await;
    let error = error_of(&server, &["LPUSH", "text", "2"]).await;
    for name in ["LPUSH", "EVAL_RO", "EVALSHA_RO", "FCALL_RO"] {
        assert!(!Unavailable::command_may_have_run(&cmd(name), &error), "{name}");
    }
}

#[tokio::test]
async fn execabort_is_the_callers_own_and_nothing_ran() {
    let server = RedisServer::start().await;
    let transaction = pipe().atomic().set("done", 1).cmd("NOSUCH").arg("thing").clone();
    let error = pipeline_error(&server, &transaction).await;
    assert_reply(error, "EXECABORT", Verdict::CallersOwn);
    assert_eq!(server.cli(&["GET", "done"]).await, Value::Nil);

    let connection = connect(&server.url()).await;
    for words in [&["MULTI"][..], &["SET", "done", "1"]] {
        RedisService::new(connection.clone()).oneshot(command(words)).await.unwrap();
    }
    error_on(&connection, &["NOSUCH"]).await;
    assert_reply(error_on(&connection, &["EXEC"]).await, "EXECABORT", Verdict::CallersOwn);
}

#[tokio::test]
async fn a_transaction_is_judged_by_what_discarded_it() {
    let server = RedisServer::start().await;
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let error = pipeline_error(&server, pipe().atomic().set("a", 1)).await;
    assert_reply(error, "EXECABORT", Verdict::WritesRefused);

    server.cli(&["CONFIG", "SET", "maxmemory", "0"]).await;
    let connection = connect(&server.url()).await;
    for words in [&["MULTI"][..], &["SET", "a", "1"]] {
        RedisService::new(connection.clone()).oneshot(command(words)).await.unwrap();
    }
    server.cli(&["REPLICAOF", "127.0.0.1", "1"]).await;
    let error = error_on(&connection, &["EXEC"]).await;
    assert!(error.to_string().contains("READONLY"), "{error}");
    assert_judged(error, Verdict::WritesRefused, false);
}

#[tokio::test]
async fn a_pipeline_is_judged_by_its_first_failure_and_may_have_run_in_part() {
    let server = RedisServer::start().await;
    server.cli(&["SET", "text", "1"]).await;
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let mut oom_first = pipe();
    oom_first.cmd("GET").arg("text").set("a", 1).cmd("LRANGE").arg("text").arg(0).arg(1);
    assert_judged(pipeline_error(&server, &oom_first).await, Verdict::WritesRefused, true);
    let mut own_first = pipe();
    own_first.cmd("LRANGE").arg("text").arg(0).arg(1).set("a", 1);
    let error = pipeline_error(&server, &own_first).await;
    assert_judged(error.clone(), Verdict::CallersOwn, true);
    let places: Vec<_> = error.into_server_errors().unwrap().iter().map(|(at, _)| *at).collect();
    assert_eq!(places, [0, 1]);
}

#[tokio::test]
async fn readonly_refuses_writes() {
    let server = RedisServer::start().await;
    server.cli(&["REPLICAOF", "127.0.0.1", "1"]).await;
    let error = error_of(&server, &["SET", "a", "1"]).await;
    assert_reply(error, "READONLY", Verdict::WritesRefused);
}

#[tokio::test]
async fn oom_refuses_writes() {
    let server = RedisServer::start().await;
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let error = error_of(&server, &["SET", "a", "1"]).await;
    assert_eq!(error.kind(), ErrorKind::Extension);
    assert_reply(error, "OOM", Verdict::WritesRefused);
}

#[tokio::test]
async fn noreplicas_refuses_writes() {
    let server = RedisServer::start_with(&["--min-replicas-to-write", "1"]).await;
    let error = error_of(&server, &["SET", "a", "1"]).await;
    assert_reply(error, "NOREPLICAS", Verdict::WritesRefused);
}

#[tokio::test]
async fn misconf_refuses_writes() {
    let server = RedisServer::start().await;
    fs::create_dir_all(server.dir().join("dump.rdb").join("in the way")).unwrap();
    server.cli(&["CONFIG", "SET", "save", "3600 1"]).await;
    server.cli(&["BGSAVE"]).await;
    let connection = connect(&server.url()).await;
    wait_for_async(SOON, "the server notices that it cannot save", async || {
        let set = command(&["SET", "a", "1"]);
        RedisService::new(connection.clone()).oneshot(set).await.is_err()
    })
    .await;
    let error = error_on(&connection, &["SET", "a", "1"]).await;
    assert_reply(error, "MISCONF", Verdict::WritesRefused);
}

#[tokio::test]
async fn noauth_means_unavailable() {
    let server = RedisServer::start_with(&["--requirepass", "secret"]).await;
    let connection = connect(&server.url_as("", "")).await;
    assert_reply(error_on(&connection, &["GET", "a"]).await, "NOAUTH", Verdict::Unavailable);
}

#[tokio::test]
async fn wrongpass_means_unavailable() {
    let server = RedisServer::start_with(&["--requirepass", "secret"]).await;
    let connection = connect(&server.url_as("", "")).await;
    let error = error_on(&connection, &["AUTH", "guess"]).await;
    assert_reply(error, "WRONGPASS", Verdict::Unavailable);
    let client = Client::open(server.url_as("", "guess")).unwrap();
    let error = client.get_multiplexed_async_connection().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AuthenticationFailed);
    assert_judged(error, Verdict::Unavailable, false);
}

#[tokio::test]
async fn loading_means_unavailable() {
    let args = ["--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024"];
    let mut server = RedisServer::start_with(&args).await;
    server.cli(&["DEBUG", "POPULATE", "20000"]).await;
    server.cli(&["SAVE"]).await;
    server.kill();
    server.launch();
    let url = server.url();
    let client = Client::open(url.as_str()).unwrap();
    wait_for_async(SOON, "the server accepts connections while it loads", async || {
        client.get_multiplexed_async_connection().await.is_ok()
    })
    .await;
    let connection = connect(&url).await;
    assert_reply(error_on(&connection, &["GET", "a"]).await, "LOADING", Verdict::Unavailable);
    assert_reply(error_on(&connection, &["PING"]).await, "LOADING", Verdict::Unavailable);
}

#[tokio::test]
async fn masterdown_means_unavailable() {
    let server = RedisServer::start().await;
    server.cli(&["CONFIG", "SET", "replica-serve-stale-data", "no"]).await;
    server.cli(&["REPLICAOF", "127.0.0.1", "1"]).await;
    let error = error_of(&server, &["GET", "a"]).await;
    assert_reply(error, "MASTERDOWN", Verdict::Unavailable);
}

#[tokio::test]
async fn busy_means_unavailable() {
    let server = RedisServer::start_with(&["--busy-reply-threshold", "50"]).await;
    let connection = connect(&server.url()).await;
    let looping = connect(&server.url()).await;
    let endless = tokio::spawn(RedisService::new(looping).oneshot(command(&[
        "EVAL",
        "while true do end",
        "0",
    ])));
    wait_for_async(SOON, "the script runs", async || {
        let get = command(&["GET", "a"]);
        RedisService::new(connection.clone()).oneshot(get).await.is_err()
    })
    .await;
    assert_reply(error_on(&connection, &["GET", "a"]).await, "BUSY", Verdict::Unavailable);
    server.cli(&["SCRIPT", "KILL"]).await;
    assert!(endless.await.unwrap().is_err());
}

/// The client drops the text of this one, so it is read from the wire.
#[tokio::test]
async fn too_many_clients_means_unavailable() {
    let server = RedisServer::start().await;
    let mut admin = server.admin();
    cmd("CONFIG").arg(&["SET", "maxclients", "1"]).exec(&mut admin).unwrap();
    let mut text = Vec::new();
    TcpStream::connect(("127.0.0.1", server.port())).unwrap().read_to_end(&mut text).unwrap();
    let reply = redis::parse_redis_value(&text).unwrap().extract_error();
    assert_reply(reply.unwrap_err(), "ERR", Verdict::Unavailable);

    let client = Client::open(server.url()).unwrap();
    let error = client.get_multiplexed_async_connection().await.unwrap_err();
    assert!(error.is_connection_dropped(), "{error}");
    assert_judged(error, Verdict::Unavailable, true);
}

async fn cluster_node() -> (RedisServer, Port) {
    let bus = Port::take();
    let number = bus.number().to_string();
    let args = ["--cluster-enabled", "yes", "--cluster-port", &number];
    (RedisServer::start_with(&args).await, bus)
}

async fn serves_slots(node: &RedisServer) {
    node.cli(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).await;
    wait_for_async(SOON, "the cluster is up", async || node.try_cli(&["GET", "a"]).await.is_ok())
        .await;
}

#[tokio::test]
async fn clusterdown_means_unavailable() {
    let (node, _bus) = cluster_node().await;
    let error = error_of(&node, &["GET", "a"]).await;
    assert_reply(error, "CLUSTERDOWN", Verdict::Unavailable);
}

#[tokio::test]
async fn crossslot_is_the_callers_own() {
    let (node, _bus) = cluster_node().await;
    serves_slots(&node).await;
    let error = error_of(&node, &["MGET", "a", "b"]).await;
    assert_reply(error, "CROSSSLOT", Verdict::CallersOwn);
}

#[tokio::test]
async fn tryagain_ask_and_moved_mean_unavailable() {
    let ((node, _bus), (other, other_bus)) = (cluster_node().await, cluster_node().await);
    serves_slots(&node).await;
    let port = other.port().to_string();
    let bus = other_bus.number().to_string();
    node.cli(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]).await;
    let id = other.cli(&["CLUSTER", "MYID"]).await;
    let id: String = redis::from_redis_value(id).unwrap();
    let slot = node.cli(&["CLUSTER", "KEYSLOT", "{tag}"]).await;
    let slot: u16 = redis::from_redis_value(slot).unwrap();
    let slot = slot.to_string();
    node.cli(&["SET", "{tag}here", "1"]).await;
    wait_for_async(SOON, "the nodes have met", async || {
        node.try_cli(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &id]).await.is_ok()
    })
    .await;
    let error = error_of(&node, &["MGET", "{tag}here", "{tag}gone"]).await;
    assert_reply(error, "TRYAGAIN", Verdict::Unavailable);
    let error = error_of(&node, &["GET", "{tag}gone"]).await;
    assert_reply(error, "ASK", Verdict::Unavailable);
    node.cli(&["DEL", "{tag}here"]).await;
    node.cli(&["CLUSTER", "SETSLOT", &slot, "NODE", &id]).await;
    let error = error_of(&node, &["GET", "{tag}gone"]).await;
    assert_reply(error, "MOVED", Verdict::Unavailable);
}

#[tokio::test]
async fn a_refused_connection_means_unavailable_and_nothing_ran() {
    let port = Port::take();
    let client = Client::open(format!("redis://127.0.0.1:{}/", port.number())).unwrap();
    let error = client.get_multiplexed_async_connection().await.unwrap_err();
    assert_judged(error, Verdict::Unavailable, false);
}

#[tokio::test]
async fn a_timeout_means_unavailable_and_it_may_have_run() {
    let server = RedisServer::start().await;
    let connection = connect_within(&server.url(), Duration::from_millis(50)).await;
    server.pause();
    let error = error_on(&connection, &["SET", "late", "1"]).await;
    assert!(error.is_timeout());
    assert_judged(error, Verdict::Unavailable, true);
    server.resume();
    wait_for_async(SOON, "the command that timed out has run", async || {
        server.cli(&["GET", "late"]).await != Value::Nil
    })
    .await;
}

#[tokio::test]
async fn a_connection_dropped_in_flight_means_unavailable_and_it_may_have_run() {
    let mut server = RedisServer::start().await;
    let connection = connect(&server.url()).await;
    server.cli(&["CLIENT", "PAUSE", "60000", "ALL"]).await;
    let call = RedisService::new(connection).oneshot(command(&["GET", "a"]));
    let kill = async { server.kill() };
    let (answer, ()) = tokio::join!(call, kill);
    let error = answer.unwrap_err();
    assert!(error.is_connection_dropped(), "{error}");
    assert_judged(error, Verdict::Unavailable, true);
}

#[tokio::test]
async fn a_broken_protocol_means_unavailable_but_a_reply_of_another_type_does_not() {
    let server = RedisServer::start().await;
    let proxy = Proxy::start(server.port());
    let mut connection = connect(&proxy.url()).await;
    server.cli(&["SET", "text", "abc"]).await;
    let error = cmd("GET").arg("text").query_async::<u64>(&mut connection).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Parse);
    assert_judged(error, Verdict::CallersOwn, true);

    proxy.set(Direction::ToClient, Flow::Garbage, Scope::All);
    let error = error_on(&connection, &["GET", "text"]).await;
    assert_eq!(error.kind(), ErrorKind::Parse);
    assert_judged(error, Verdict::Unavailable, true);
    assert!(proxy.counts().garbled > 0);
}

#[test]
fn a_command_that_could_not_be_sent_is_the_callers_own() {
    let error = RedisError::from((ErrorKind::Client, "empty command"));
    assert_judged(error, Verdict::CallersOwn, false);
    let error = RedisError::from((ErrorKind::UnexpectedReturnType, "not a number"));
    assert_judged(error, Verdict::CallersOwn, true);
}

#[test]
fn an_unknown_error_means_unavailable_and_it_may_have_run() {
    let unknown: BoxError = "no idea".into();
    assert_eq!(Verdict::of(&*unknown), Verdict::Unavailable);
    assert!(Unavailable::may_have_run(&*unknown));
    assert_eq!(Unavailable.classify(&Err::<(), _>(unknown)), Outcome::Failure);
}

#[tokio::test]
async fn an_error_that_several_callers_share_is_judged_as_the_one_it_is() {
    let cache = Cache::<u8, u8>::builder("shared").build().0;
    let inner = tower::service_fn(async |_: u8| {
        let own = RedisError::from((ErrorKind::UnexpectedReturnType, "not a number"));
        Err::<u8, BoxError>(own.into())
    });
    let cached = Cached::new(cache, |key: &u8| Some(*key));
    let error = CoalesceLayer::new(cached).layer(inner).oneshot(1).await.unwrap_err();
    assert!(error.is::<SharedError>());
    assert_eq!(Verdict::of(&*error), Verdict::CallersOwn);
    assert!(Unavailable::may_have_run(&*error));
    assert_eq!(Unavailable.classify(&Err::<u8, _>(error)), Outcome::Success);
}
