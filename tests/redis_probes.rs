//! What the probes say of real servers, and how soon a lost connection counts.
#![cfg(feature = "redis")]
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests take real time, spawn, and unwrap in their helpers too"
)]
mod support;

use std::{
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use redis::{
    AsyncConnectionConfig, Client, Cmd, RedisError, Value, aio::MultiplexedConnection, cmd,
};
use support::{RedisServer, wait_for_async};
use tokio::time::timeout;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_failover::{
    BoxError,
    event::Event,
    health::{Grade, Health, HealthGateLayer, Policy, Probe, Unhealthy},
    redis::{
        Connection, RedisService, Unavailable,
        probe::{Ping, Role, Write, WrongAnswer},
    },
};

const SOON: Duration = Duration::from_secs(20);
/// Longer than any test: what is noticed sooner was not noticed by a check on schedule.
const HOUR: Duration = Duration::from_secs(3_600);

async fn redis(server: &RedisServer) -> RedisService<MultiplexedConnection> {
    redis_within(server, SOON).await
}

async fn redis_within(
    server: &RedisServer,
    response: Duration,
) -> RedisService<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(SOON))
        .set_response_timeout(Some(response));
    let client = Client::open(server.url()).unwrap();
    RedisService::new(client.get_multiplexed_async_connection_with_config(&config).await.unwrap())
}

/// What each probe says: nothing, or the code of the server's error, or the probe's own.
#[derive(Debug, PartialEq)]
struct Says {
    ping: String,
    master: String,
    replica: String,
    write: String,
}

fn says(ping: &str, master: &str, replica: &str, write: &str) -> Says {
    let [ping, master, replica, write] = [ping, master, replica, write].map(str::to_owned);
    Says { ping, master, replica, write }
}

async fn said(probe: &dyn Probe) -> String {
    match probe.check().await {
        Ok(()) => "good".to_owned(),
        Err(error) => match error.downcast_ref::<RedisError>() {
            Some(error) if error.is_timeout() => "timeout".to_owned(),
            Some(error) if error.is_io_error() => "io".to_owned(),
            Some(error) => error.code().unwrap().to_owned(),
            None => error.downcast::<WrongAnswer>().unwrap().to_string(),
        },
    }
}

async fn ask_all<S>(redis: S) -> Says
where
    S: Service<Cmd, Response = Value> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
{
    Says {
        ping: said(&Ping::new(redis.clone())).await,
        master: said(&Role::master(redis.clone())).await,
        replica: said(&Role::replica(redis.clone())).await,
        write: said(&Write::new(redis)).await,
    }
}

const IS_MASTER: &str = "ROLE is answered wrongly: it is a master";
const IS_REPLICA: &str = "ROLE is answered wrongly: it is a replica";

#[tokio::test]
async fn health_promise_3_all_is_well_on_a_server_that_serves() {
    let server = RedisServer::start().await;
    let all = ask_all(redis(&server).await).await;
    assert_eq!(all, says("good", "good", IS_MASTER, "good"));
}

#[tokio::test]
async fn health_promise_3_a_replica_answers_a_ping_and_takes_no_write() {
    let (master, server) = (RedisServer::start().await, RedisServer::start().await);
    server.cli(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]).await;
    let redis = redis(&server).await;
    assert_eq!(ask_all(redis.clone()).await, says("good", IS_REPLICA, "good", "READONLY"));
    server.cli(&["REPLICAOF", "NO", "ONE"]).await;
    assert_eq!(ask_all(redis).await, says("good", "good", IS_MASTER, "good"));
}

#[tokio::test]
async fn health_promise_3_a_server_out_of_memory_is_seen_by_a_write() {
    let server = RedisServer::start().await;
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let all = ask_all(redis(&server).await).await;
    assert_eq!(all, says("good", "good", IS_MASTER, "OOM"));
}

#[tokio::test]
async fn health_promise_3_a_server_without_its_replicas_is_seen_by_a_write() {
    let server = RedisServer::start_with(&["--min-replicas-to-write", "1"]).await;
    let all = ask_all(redis(&server).await).await;
    assert_eq!(all, says("good", "good", IS_MASTER, "NOREPLICAS"));
}

#[tokio::test]
async fn health_promise_3_a_server_that_cannot_save_is_seen_by_a_write() {
    let server = RedisServer::start().await;
    fs::create_dir_all(server.dir().join("dump.rdb").join("in the way")).unwrap();
    server.cli(&["CONFIG", "SET", "save", "3600 1"]).await;
    server.cli(&["BGSAVE"]).await;
    let redis = redis(&server).await;
    let write = Write::new(redis.clone());
    wait_for_async(SOON, "the server notices that it cannot save", async || {
        write.check().await.is_err()
    })
    .await;
    assert_eq!(ask_all(redis).await, says("MISCONF", "good", IS_MASTER, "MISCONF"));
}

#[tokio::test]
async fn health_promise_3_a_server_that_loads_its_data_is_seen_by_ping_and_write() {
    let args = ["--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024"];
    let mut server = RedisServer::start_with(&args).await;
    server.cli(&["DEBUG", "POPULATE", "20000"]).await;
    server.cli(&["SAVE"]).await;
    server.kill();
    server.launch();
    let client = Client::open(server.url()).unwrap();
    wait_for_async(SOON, "the server accepts connections while it loads", async || {
        client.get_multiplexed_async_connection().await.is_ok()
    })
    .await;
    let all = ask_all(redis(&server).await).await;
    assert_eq!(all, says("LOADING", "good", IS_MASTER, "LOADING"));
}

#[tokio::test]
async fn health_promise_3_a_server_that_is_busy_is_seen_by_all() {
    let server = RedisServer::start_with(&["--busy-reply-threshold", "50"]).await;
    let looping = redis(&server).await;
    let mut endless = cmd("EVAL");
    endless.arg("while true do end").arg(0);
    let endless = tokio::spawn(looping.oneshot(endless));
    let redis = redis(&server).await;
    let ping = Ping::new(redis.clone());
    wait_for_async(SOON, "the script runs", async || ping.check().await.is_err()).await;
    assert_eq!(ask_all(redis.clone()).await, says("BUSY", "BUSY", "BUSY", "BUSY"));
    server.cli(&["SCRIPT", "KILL"]).await;
    endless.await.unwrap().unwrap_err();
    assert_eq!(ask_all(redis).await, says("good", "good", IS_MASTER, "good"));
}

#[tokio::test]
async fn health_promise_3_a_server_that_hangs_or_is_dead_is_seen_by_all() {
    let mut server = RedisServer::start().await;
    let redis = redis_within(&server, Duration::from_millis(100)).await;
    server.pause();
    let all = ask_all(redis.clone()).await;
    assert_eq!(all, says("timeout", "timeout", "timeout", "timeout"));
    server.resume();
    server.kill();
    let down = ask_all(redis).await;
    assert_eq!(down, says("io", "io", "io", "io"));
}

/// Checks every 20 ms, and is at once sure of what it sees.
const QUICK: Policy = Policy::new()
    .interval(Duration::from_millis(20))
    .timeout(Duration::from_millis(20))
    .fall(1)
    .rise(1);

/// A health that is checked when it is asked to be.
fn watched(probe: impl Probe + 'static) -> Health {
    let policy = QUICK.timeout(SOON).interval(HOUR);
    let (health, monitor) = Health::builder("redis").policy(policy).probe(probe).monitor();
    tokio::spawn(monitor);
    health
}

async fn until(health: &Health, grade: fn(Grade) -> bool, what: &str) {
    wait_for_async(SOON, what, async || grade(health.grade())).await;
}

const fn is_good(grade: Grade) -> bool {
    matches!(grade, Grade::Healthy | Grade::Degraded)
}

const fn is_bad(grade: Grade) -> bool {
    matches!(grade, Grade::Unhealthy)
}

#[tokio::test]
async fn health_promise_3_writes_are_kept_from_a_replica_and_reads_are_not() {
    let (master, server) = (RedisServer::start().await, RedisServer::start().await);
    let redis = redis(&server).await;
    let reads = watched(Ping::new(redis.clone()));
    let writes = watched(Write::new(redis.clone()));
    assert_eq!(
        (reads.check_now().await, writes.check_now().await),
        (Grade::Healthy, Grade::Healthy)
    );

    server.cli(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]).await;
    assert!(is_good(reads.check_now().await));
    assert_eq!(writes.check_now().await, Grade::Unhealthy);
    let gate = HealthGateLayer::new(writes.clone()).layer(redis.clone());
    let error = gate.oneshot(cmd("PING")).await.unwrap_err();
    let unhealthy = Unhealthy::find(&*error).unwrap();
    assert!(unhealthy.reason().contains("read only replica"), "{unhealthy}");
    assert!(!Unavailable::may_have_run(&*error));
    HealthGateLayer::new(reads).layer(redis).oneshot(cmd("PING")).await.unwrap();

    server.cli(&["REPLICAOF", "NO", "ONE"]).await;
    assert!(is_good(writes.check_now().await));
}

#[tokio::test]
async fn health_promise_2_a_server_that_is_dead_at_boot_is_noticed_and_so_is_its_start() {
    let mut server = RedisServer::start().await;
    server.kill();
    let (connection, driver) = Connection::open(server.url()).unwrap().build();
    let probe = Write::new(RedisService::new(connection));
    let policy = QUICK.timeout(Duration::from_secs(1)).interval(Duration::from_secs(1));
    let (health, monitor) = Health::builder("redis").policy(policy).probe(probe).monitor();
    assert_eq!(health.grade(), Grade::Unknown);
    tokio::spawn(driver);
    tokio::spawn(monitor);
    until(&health, is_bad, "the dead server is noticed").await;
    server.launch();
    until(&health, is_good, "it is noticed that it started").await;
}

/// Kills the server, and says how long after that the health fell.
async fn fall_of(server: &mut RedisServer, health: &Health) -> Duration {
    assert!(!is_bad(health.grade()));
    let fallen = Arc::new(Mutex::new(None));
    let watcher = {
        let (health, fallen) = (health.clone(), fallen.clone());
        std::thread::spawn(move || {
            let begun = Instant::now();
            while begun.elapsed() < SOON && !is_bad(health.grade()) {
                std::thread::sleep(Duration::from_millis(1));
            }
            *fallen.lock().unwrap() = Some(Instant::now());
        })
    };
    let killed = Instant::now();
    server.kill();
    until(health, is_bad, "the loss counts").await;
    watcher.join().unwrap();
    let fallen = fallen.lock().unwrap().unwrap();
    fallen - killed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_promise_4_a_resp3_disconnect_counts_at_once_and_a_connection_is_checked_at_once() {
    let mut server = RedisServer::start().await;
    let checks = Arc::new(AtomicUsize::new(0));
    // The connection is observed by the health and probed by it.
    let place = Arc::new(std::sync::OnceLock::<Connection>::new());
    let probe = {
        let (place, checks) = (place.clone(), checks.clone());
        move || {
            checks.fetch_add(1, SeqCst);
            let redis = RedisService::new(place.get().unwrap().clone());
            Write::new(redis).check()
        }
    };
    let policy = QUICK.interval(HOUR).timeout(SOON).jitter(tower_failover::Ratio::percent(0));
    let (health, monitor) = Health::builder("redis").policy(policy).probe(probe).monitor();
    let lost = Arc::new(AtomicUsize::new(0));
    let connection = {
        let lost = lost.clone();
        Connection::open(format!("{}?protocol=resp3", server.url()))
            .unwrap()
            .observe(health.signals())
            .observe(move |event: &Event<'_>| {
                if matches!(event, Event::Disconnected { .. }) {
                    lost.fetch_add(1, SeqCst);
                }
            })
            .spawn()
    };
    assert!(place.set(connection.clone()).is_ok());
    connection.wait_until_connected().await.unwrap();
    tokio::spawn(monitor);
    until(&health, is_good, "the first check").await;
    let before = checks.load(SeqCst);

    let mut slowest = Duration::ZERO;
    for round in 1..=10 {
        let after = fall_of(&mut server, &health).await;
        slowest = slowest.max(after);
        assert!(after < Duration::from_millis(250), "round {round}: {after:?}");
        assert!(lost.load(SeqCst) >= round, "nobody was told of the loss");
        server.launch();
        // No check is due for an hour: the connection that is made asks for one.
        until(&health, is_good, "it is back").await;
    }
    assert!(checks.load(SeqCst) >= before + 10, "good news is checked");
    println!("rounds=10 slowest_ms={}", slowest.as_millis());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_promise_4_a_connection_tells_a_health_that_has_no_monitor() {
    let mut server = RedisServer::start().await;
    let health = Health::builder("redis").policy(QUICK).build();
    let connection = Connection::open(format!("{}?protocol=resp3", server.url()))
        .unwrap()
        .observe(health.signals())
        .spawn();
    connection.wait_until_connected().await.unwrap();
    until(&health, is_good, "the connection was made").await;
    let after = fall_of(&mut server, &health).await;
    assert!(after < Duration::from_millis(250), "{after:?}");
    let error = HealthGateLayer::new(health.clone())
        .layer(RedisService::new(connection.clone()))
        .oneshot(cmd("PING"))
        .await
        .unwrap_err();
    assert!(Unhealthy::find(&*error).is_some());
    server.launch();
    until(&health, is_good, "the connection was made again").await;
}

#[tokio::test]
async fn health_promise_3_a_write_probe_uses_a_key_for_each_check_and_lets_it_expire() {
    let server = RedisServer::start().await;
    let redis = redis(&server).await;
    let probe =
        Write::new(redis.clone()).keys("app:probe").expires_after(Duration::from_millis(7_500));
    let twin = Write::new(redis).keys("app:probe");
    let checks = (0..50).flat_map(|_| [probe.check(), probe.clone().check(), twin.check()]);
    for checked in futures::future::join_all(checks).await {
        checked.expect("no check takes what another wrote for its own");
    }
    let keys: Vec<String> = redis::from_redis_value(server.cli(&["KEYS", "*"]).await).unwrap();
    assert_eq!(keys.len(), 150);
    let mut ends = [0; 2];
    for key in keys {
        assert!(key.starts_with("app:probe:"), "{key}");
        let ttl: u64 = redis::from_redis_value(server.cli(&["PTTL", &key]).await).unwrap();
        assert!((1..=10_000).contains(&ttl), "{key} lives for {ttl} ms");
        ends[usize::from(ttl > 8_000)] += 1;
    }
    assert!(ends[0] >= 100, "those of 7.5 s, rounded up, are told from those of 10 s: {ends:?}");
    assert!(server.cli(&["KEYS", "tower-failover:*"]).await == Value::Array(Vec::new()));
}

/// A server that answers everything like this.
fn answering(
    answer: Value,
) -> impl Service<Cmd, Response = Value, Error = BoxError, Future: Send> + Clone + Send + 'static {
    service_fn(move |_: Cmd| {
        let answer = answer.clone();
        async move { Ok::<_, BoxError>(answer) }
    })
}

#[tokio::test]
async fn health_promise_3_an_answer_that_makes_no_sense_is_a_bad_check() {
    let word = |word: &str| Value::BulkString(word.into());
    let nonsense = [
        Value::Nil,
        Value::Int(1),
        Value::Okay,
        Value::Array(Vec::new()),
        Value::Array(vec![Value::Int(1), word("master")]),
        Value::Array(vec![word("MASTER")]),
        Value::Array(vec![word("sentinel"), Value::Array(Vec::new())]),
        Value::SimpleString("PING".into()),
        Value::BulkString(vec![0xff; 100_000]),
        Value::Map(vec![(word("master"), word("master"))]),
    ];
    for answer in nonsense {
        let all = ask_all(answering(answer.clone())).await;
        for said in [&all.ping, &all.master, &all.replica, &all.write] {
            assert!(said.contains("answered wrongly") && said.len() < 100, "{answer:?}: {said}");
        }
    }
    // A cache that swallows writes.
    let swallows = service_fn(async |command: Cmd| {
        let is_set = command.args_iter().next() == Some(redis::Arg::Simple(b"SET".as_slice()));
        Ok::<_, BoxError>(if is_set { Value::Okay } else { Value::Nil })
    });
    let said = said(&Write::new(swallows)).await;
    assert_eq!(said, "GET is answered wrongly: not by what was set");
}

#[tokio::test]
async fn health_promise_3_a_probe_waits_until_its_service_is_ready() {
    let (service, mut server) = tower_test::mock::pair::<Cmd, Value>();
    // A mock says `Clone` of its handle only.
    let probe = Ping::new(tower::buffer::Buffer::new(service, 1));
    server.allow(0);
    let check = tokio::spawn(async move { probe.check().await });
    timeout(Duration::from_millis(50), server.next_request()).await.expect_err("it is not ready");
    server.allow(1);
    let (command, answer) = server.next_request().await.unwrap();
    assert_eq!(command.args_iter().next(), Some(redis::Arg::Simple(b"PING".as_slice())));
    answer.send_response(Value::SimpleString("PONG".into()));
    check.await.unwrap().unwrap();
}
