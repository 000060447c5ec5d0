//! A connection that fails fast while its server is away and comes back by itself.
#![cfg(feature = "redis")]
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests take real time, spawn, and unwrap in their helpers too"
)]
mod support;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use redis::{
    AsyncCommands, ErrorKind, RedisError, RedisResult, Value, aio::MultiplexedConnection, cmd,
};
use support::{Accept, Direction, Flow, Port, Proxy, RedisServer, Scope, wait_for, wait_for_async};
use tokio::time::timeout;
use tower::{ServiceExt, service_fn};
use tower_failover::{
    Backoff, Outcome,
    event::Event,
    redis::{Connection, ConnectionPolicy, Connector, Disconnected, Stack, Unavailable, Verdict},
};

const SOON: Duration = Duration::from_secs(20);
const BUDGET: Duration = Duration::from_millis(100);
/// What a busy machine may add to a wait.
const SLACK: Duration = Duration::from_millis(150);
/// Far below any timeout or wait of a policy, far above what a refusal takes.
const AT_ONCE: Duration = Duration::from_millis(40);

const QUICK: ConnectionPolicy = ConnectionPolicy::DEFAULT
    .response_timeout(BUDGET)
    .backoff(Backoff::fixed(Duration::from_millis(20)));

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn observer(&self) -> impl Fn(&Event<'_>) + Send + Sync + 'static {
        let seen = self.clone();
        move |event: &Event<'_>| {
            seen.0.lock().unwrap().push(format!("{event} {event:?}"));
        }
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn count(&self, what: &str) -> usize {
        self.all().iter().filter(|event| event.starts_with(what)).count()
    }
}

async fn connected(url: &str, policy: ConnectionPolicy) -> (Connection, Seen) {
    let seen = Seen::default();
    let builder = Connection::open(url).unwrap().policy(policy).observe(seen.observer());
    let connection = builder.spawn();
    timeout(SOON, connection.wait_until_connected()).await.unwrap().unwrap();
    (connection, seen)
}

async fn get(connection: &Connection) -> RedisResult<Value> {
    let started = Instant::now();
    let answer = cmd("GET").arg("key").query_async(&mut connection.clone()).await;
    assert!(started.elapsed() < BUDGET + SLACK, "took {:?}: {answer:?}", started.elapsed());
    answer
}

async fn client_id(connection: &Connection) -> RedisResult<u64> {
    cmd("CLIENT").arg("ID").query_async(&mut connection.clone()).await
}

async fn comes_back(connection: &Connection) {
    wait_for_async(SOON, "calls succeed again", async || get(connection).await.is_ok()).await;
    assert!(connection.is_connected());
}

/// Waits until calls are refused without being sent, and checks one of them.
async fn fails_fast(connection: &Connection) -> RedisError {
    wait_for_async(SOON, "calls fail fast", async || {
        let refused = get(connection).await.err();
        let down = refused.as_ref().and_then(Stack::refusal::<Disconnected>);
        down.is_some_and(|down| down.reason().is_some() || down.to_string().contains("driver"))
    })
    .await;
    assert!(!connection.is_connected());
    let started = Instant::now();
    let error = get(connection).await.unwrap_err();
    assert!(started.elapsed() < AT_ONCE, "took {:?}", started.elapsed());
    assert!(error.is_connection_refusal());
    assert_eq!(Verdict::of(&error), Verdict::Unavailable);
    assert!(!Unavailable::may_have_run(&error), "{error}");
    error
}

#[tokio::test]
async fn a_killed_server_is_noticed_at_once_and_used_again_when_it_is_back() {
    let mut server = RedisServer::start().await;
    let (connection, seen) = connected(&server.url(), QUICK).await;
    get(&connection).await.unwrap();
    server.kill();
    let started = Instant::now();
    let first = get(&connection).await.unwrap_err();
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
    assert!(Unavailable::may_have_run(&first), "it may have been in flight: {first}");
    let error = fails_fast(&connection).await;
    let down = Stack::refusal::<Disconnected>(&error).unwrap();
    assert!(down.reason().is_some());
    assert!(down.down_for() <= started.elapsed());
    assert!(error.to_string().contains(&format!("127.0.0.1:{}", server.port())), "{error}");
    server.restart().await;
    comes_back(&connection).await;
    assert_eq!(seen.count("connected to"), 2, "{:?}", seen.all());
    assert!(seen.count("disconnected from") >= 1);
}

#[tokio::test]
async fn fifty_kills_and_restarts_are_survived_by_many_callers() {
    let mut server = RedisServer::start().await;
    let (connection, seen) = connected(&server.url(), QUICK).await;
    let stop = Arc::new(AtomicU32::new(0));
    let callers: Vec<_> = (0..16)
        .map(|_| {
            let (connection, stop) = (connection.clone(), stop.clone());
            tokio::spawn(async move {
                let (mut calls, mut failures) = (0, 0);
                while stop.load(Ordering::Relaxed) == 0 {
                    calls += 1;
                    failures += u32::from(get(&connection).await.is_err());
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                (calls, failures)
            })
        })
        .collect();
    for _ in 0..50 {
        server.kill();
        fails_fast(&connection).await;
        server.restart().await;
        comes_back(&connection).await;
    }
    stop.store(1, Ordering::Relaxed);
    for caller in callers {
        let (calls, failures) = caller.await.unwrap();
        assert!(calls > failures && failures >= 50, "{failures} of {calls} failed");
    }
    assert_eq!(seen.count("connected to"), 51);
}

#[tokio::test]
async fn a_stopped_server_is_given_up_after_a_run_of_timeouts() {
    let server = RedisServer::start().await;
    let (connection, _) = connected(&server.url(), QUICK).await;
    server.pause();
    for _ in 0..3 {
        let error = get(&connection).await.unwrap_err();
        assert!(error.is_timeout(), "{error}");
        assert!(Unavailable::may_have_run(&error));
    }
    fails_fast(&connection).await;
    server.resume();
    comes_back(&connection).await;
}

#[tokio::test]
async fn a_paused_server_costs_a_call_no_more_than_its_budget() {
    let server = RedisServer::start().await;
    let (connection, _) = connected(&server.url(), QUICK).await;
    server.cli(&["CLIENT", "PAUSE", "1500", "ALL"]).await;
    assert!(get(&connection).await.unwrap_err().is_timeout());
    fails_fast(&connection).await;
    comes_back(&connection).await;
}

#[tokio::test]
async fn a_reply_ends_a_run_of_timeouts() {
    let server = RedisServer::start().await;
    let (connection, seen) = connected(&server.url(), QUICK).await;
    let id = client_id(&connection).await.unwrap();
    for _ in 0..4 {
        server.pause();
        for _ in 0..2 {
            assert!(get(&connection).await.unwrap_err().is_timeout());
        }
        server.resume();
        get(&connection).await.unwrap();
    }
    assert_eq!(client_id(&connection).await.unwrap(), id);
    assert_eq!(seen.count("disconnected"), 0);
}

#[tokio::test]
async fn an_established_connection_dropped_in_silence_is_replaced_after_a_run_of_timeouts() {
    let server = RedisServer::start().await;
    let proxy = Proxy::start(server.port());
    let (connection, _) = connected(&proxy.url(), QUICK).await;
    let twin = QUICK.never_reconnect_after_timeouts();
    let (twin, _) = connected(&proxy.url(), twin).await;
    proxy.set_both(Flow::Drop, Scope::Established);
    let started = Instant::now();
    comes_back(&connection).await;
    assert!(started.elapsed() < 3 * BUDGET + 3 * SLACK, "{:?}", started.elapsed());
    for _ in 0..5 {
        assert!(get(&twin).await.unwrap_err().is_timeout(), "without the run it stays dead");
    }
    assert!(proxy.counts().dropped > 0);
}

#[tokio::test]
async fn one_timeout_is_enough_to_find_out_that_a_connection_is_dead() {
    let server = RedisServer::start().await;
    let proxy = Proxy::start(server.port());
    let (connection, seen) = connected(&proxy.url(), QUICK).await;
    let twin = QUICK.never_reconnect_after_timeouts();
    let (twin, unchanged) = connected(&proxy.url(), twin).await;
    proxy.set_both(Flow::Drop, Scope::Established);
    assert!(get(&connection).await.unwrap_err().is_timeout());
    assert!(get(&twin).await.unwrap_err().is_timeout());
    wait_for(SOON, "another is made without a call", || seen.count("connected to") == 2).await;
    assert_eq!(unchanged.all().len(), 1, "without the run nobody asks");
    get(&connection).await.unwrap();
}

#[tokio::test]
async fn many_timeouts_at_once_are_no_run() {
    let server = RedisServer::start().await;
    let (connection, seen) = connected(&server.url(), QUICK).await;
    server.pause();
    let calls: Vec<_> = (0..64)
        .map(|_| {
            let connection = connection.clone();
            tokio::spawn(async move { get(&connection).await })
        })
        .collect();
    for call in calls {
        assert!(call.await.unwrap().unwrap_err().is_timeout());
    }
    server.resume();
    comes_back(&connection).await;
    assert_eq!(seen.count("disconnected"), 0, "{:?}", seen.all());
}

/// Counts what calls waited, however short, and acts on one response timeout of it.
const STRICT: ConnectionPolicy =
    QUICK.response_timeout(Duration::from_secs(1)).reconnect_after_timeouts(1);

async fn hasty(connection: &Connection) -> bool {
    timeout(Duration::from_millis(50), get(connection)).await.is_ok_and(|answer| answer.is_ok())
}

#[tokio::test]
async fn callers_with_shorter_timeouts_of_their_own_notice_a_dropped_connection_too() {
    let server = RedisServer::start().await;
    let proxy = Proxy::start(server.port());
    let (connection, seen) = connected(&proxy.url(), STRICT).await;
    let (twin, unchanged) = connected(&proxy.url(), STRICT.never_reconnect_after_timeouts()).await;
    proxy.set_both(Flow::Drop, Scope::Established);
    for _ in 0..25 {
        hasty(&connection).await;
        assert!(!hasty(&twin).await, "without the run it stays dead");
    }
    wait_for(SOON, "the connection is replaced", || seen.count("connected to") == 2).await;
    assert_eq!(unchanged.all().len(), 1);
    get(&connection).await.unwrap();
}

#[tokio::test]
async fn calls_given_up_do_not_count_once_a_reply_came() {
    let server = RedisServer::start().await;
    let (connection, seen) = connected(&server.url(), STRICT).await;
    for _ in 0..25 {
        server.pause();
        assert!(!hasty(&connection).await);
        server.resume();
        let answer = cmd("GET").arg("key").query_async::<Value>(&mut connection.clone()).await;
        answer.unwrap();
    }
    assert_eq!(seen.count("disconnected"), 0, "{:?}", seen.all());
}

#[tokio::test]
async fn a_late_result_of_an_old_connection_leaves_the_new_one_alone() {
    let server = RedisServer::start().await;
    let proxy = Proxy::start(server.port());
    let policy = QUICK.response_timeout(Duration::from_secs(3)).reconnect_after_timeouts(1);
    let (connection, seen) = connected(&proxy.url(), policy).await;
    let old_id = client_id(&connection).await.unwrap();
    proxy.set_both(Flow::Hold, Scope::Established);
    let old = tokio::spawn({
        let connection = connection.clone();
        async move { cmd("GET").arg("key").query_async::<Value>(&mut connection.clone()).await }
    });
    wait_for(SOON, "the call is on its way", || proxy.counts().held > 0).await;
    let given_up = (0..80).map(|_| {
        let mut connection = connection.clone();
        tokio::spawn(async move {
            let get = cmd("GET");
            let call = get.query_async::<Value>(&mut connection);
            assert!(timeout(Duration::from_millis(50), call).await.is_err());
        })
    });
    for call in given_up.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    wait_for(SOON, "another connection is made", || seen.count("connected to") == 2).await;
    let id = client_id(&connection).await.unwrap();
    assert!(!old.is_finished(), "the old call is still in flight");
    server.cli(&["CLIENT", "KILL", "ID", &old_id.to_string()]).await;
    proxy.set_both(Flow::Pass, Scope::All);
    assert!(old.await.unwrap().unwrap_err().is_connection_dropped());
    assert_eq!(client_id(&connection).await.unwrap(), id);
    assert_eq!(seen.count("connected to"), 2);
}

#[tokio::test]
async fn garbage_at_connect_does_not_poison_the_connection() {
    let server = RedisServer::start().await;
    let proxy = Proxy::start(server.port());
    let (connection, _) = connected(&proxy.url(), QUICK).await;
    proxy.set(Direction::ToClient, Flow::Garbage, Scope::All);
    assert_eq!(get(&connection).await.unwrap_err().kind(), ErrorKind::Parse);
    let accepted = proxy.counts().accepted;
    wait_for(SOON, "connecting fails a few times", || proxy.counts().accepted >= accepted + 3)
        .await;
    let error = fails_fast(&connection).await;
    let reason = Stack::refusal::<Disconnected>(&error).unwrap().reason().unwrap();
    assert_eq!(reason.kind(), ErrorKind::Parse);
    proxy.heal().await;
    comes_back(&connection).await;
}

#[tokio::test]
async fn refused_credentials_do_not_poison_the_connection() {
    let server = RedisServer::start_with(&["--requirepass", "secret"]).await;
    let (connection, seen) = connected(&server.url(), QUICK).await;
    server.cli(&["CONFIG", "SET", "requirepass", "changed"]).await;
    server.cli(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
    fails_fast(&connection).await;
    wait_for(SOON, "logins are refused", || {
        seen.all().iter().filter(|event| event.contains("AuthenticationFailed")).count() >= 3
    })
    .await;
    server.cli(&["CONFIG", "SET", "requirepass", "secret"]).await;
    comes_back(&connection).await;
}

#[tokio::test]
async fn credentials_are_asked_for_anew_at_each_connect() {
    let server = RedisServer::start_with(&["--requirepass", "one"]).await;
    let password = Arc::new(Mutex::new("one"));
    let connector = service_fn({
        let (password, port) = (password.clone(), server.port());
        move |()| {
            let url = format!("redis://:{}@127.0.0.1:{port}/", password.lock().unwrap());
            async move { Connector::open(url)?.oneshot(()).await }
        }
    });
    let connection = Connection::builder("rotated", connector).policy(QUICK).spawn();
    timeout(SOON, connection.wait_until_connected()).await.unwrap().unwrap();
    server.cli(&["CONFIG", "SET", "requirepass", "two"]).await;
    server.cli(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
    fails_fast(&connection).await;
    *password.lock().unwrap() = "two";
    comes_back(&connection).await;
}

#[tokio::test]
async fn a_server_that_wants_a_password_we_do_not_give_counts_as_down() {
    let server = RedisServer::start_with(&["--requirepass", "secret"]).await;
    let connection = Connection::open(server.url_as("", "")).unwrap().policy(QUICK).spawn();
    let error = fails_fast(&connection).await;
    let reason = Stack::refusal::<Disconnected>(&error).unwrap().reason().unwrap();
    assert_eq!(reason.code(), Some("NOAUTH"));
    server.cli(&["CONFIG", "SET", "requirepass", ""]).await;
    comes_back(&connection).await;
}

#[tokio::test]
async fn a_login_that_is_withdrawn_leads_to_another_connection() {
    let server = RedisServer::start().await;
    let (connection, _) = connected(&server.url(), QUICK).await;
    let id = client_id(&connection).await.unwrap();
    let mut raw = connection.clone();
    server.cli(&["CONFIG", "SET", "requirepass", "secret"]).await;
    cmd("RESET").query_async::<Value>(&mut raw).await.unwrap();
    let error = get(&connection).await.unwrap_err();
    assert_eq!(error.code(), Some("NOAUTH"));
    server.cli(&["CONFIG", "SET", "requirepass", ""]).await;
    wait_for_async(SOON, "another connection is used", async || {
        client_id(&connection).await.is_ok_and(|now| now != id)
    })
    .await;
}

#[tokio::test]
async fn a_mute_peer_is_not_connected_and_costs_no_more_than_the_budget() {
    let server = RedisServer::start().await;
    let proxy = Proxy::start(server.port());
    proxy.accept(Accept::Mute).await;
    let connection = Connection::open(proxy.url()).unwrap().policy(QUICK).spawn();
    let first = get(&connection).await.unwrap_err();
    let down = Stack::refusal::<Disconnected>(&first).expect("it was not sent");
    assert!(down.reason().is_none(), "the first try goes on: {first}");
    assert!(!Unavailable::may_have_run(&first));
    fails_fast(&connection).await;
    assert!(proxy.counts().muted > 0);
    proxy.heal().await;
    comes_back(&connection).await;
}

#[tokio::test]
async fn a_peer_that_accepts_and_resets_does_not_make_callers_wait() {
    let server = RedisServer::start().await;
    let proxy = Proxy::start(server.port());
    let (connection, _) = connected(&proxy.url(), QUICK).await;
    proxy.accept(Accept::Reset).await;
    proxy.reset_established();
    fails_fast(&connection).await;
    wait_for(SOON, "it is tried again and again", || proxy.counts().reset >= 3).await;
    proxy.heal().await;
    comes_back(&connection).await;
}

#[tokio::test]
async fn a_first_call_waits_for_the_first_connection() {
    let server = RedisServer::start().await;
    let connection = Connection::open(server.url()).unwrap().spawn();
    assert!(!connection.is_connected());
    cmd("GET").arg("key").query_async::<Value>(&mut connection.clone()).await.unwrap();
}

#[tokio::test]
async fn a_call_during_the_first_connect_fails_as_soon_as_that_does() {
    let port = Port::take();
    let url = format!("redis://127.0.0.1:{}/", port.number());
    let connection = Connection::open(url).unwrap().policy(QUICK.response_timeout(SOON)).spawn();
    let started = Instant::now();
    let error = cmd("GET").arg("key").query_async::<Value>(&mut connection.clone()).await;
    assert!(Stack::refusal::<Disconnected>(&error.unwrap_err()).is_some());
    assert!(started.elapsed() < SOON / 2);
}

#[tokio::test]
async fn the_longest_response_timeout_there_is_does_not_panic() {
    let server = RedisServer::start().await;
    let policy = ConnectionPolicy::DEFAULT
        .response_timeout(Duration::MAX)
        .connect_timeout(Duration::MAX)
        .backoff(Backoff::fixed(Duration::MAX));
    let (connection, _) = connected(&server.url(), policy).await;
    get(&connection).await.unwrap();
}

#[tokio::test]
async fn too_many_clients_are_waited_out() {
    let server = RedisServer::start().await;
    let mut admin = server.admin();
    cmd("CONFIG").arg(&["SET", "maxclients", "1"]).exec(&mut admin).unwrap();
    let connection = Connection::open(server.url()).unwrap().policy(QUICK).spawn();
    fails_fast(&connection).await;
    cmd("CONFIG").arg(&["SET", "maxclients", "100"]).exec(&mut admin).unwrap();
    comes_back(&connection).await;
}

#[tokio::test]
async fn a_loading_server_is_connected_and_says_so_itself() {
    let args = ["--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024"];
    let mut server = RedisServer::start_with(&args).await;
    server.cli(&["DEBUG", "POPULATE", "3000"]).await;
    server.cli(&["SAVE"]).await;
    let (connection, _) = connected(&server.url(), QUICK).await;
    server.kill();
    server.launch();
    wait_for_async(SOON, "the server says that it loads", async || {
        get(&connection).await.is_err_and(|error| error.code() == Some("LOADING"))
    })
    .await;
    assert!(connection.is_connected());
    comes_back(&connection).await;
}

#[tokio::test]
async fn a_demoted_server_is_replaced_while_it_still_answers_reads() {
    let (server, other) = (RedisServer::start().await, RedisServer::start().await);
    let proxy = Proxy::start(server.port());
    let policy = ConnectionPolicy::DEFAULT.response_timeout(BUDGET);
    let (connection, seen) = connected(&proxy.url(), policy).await;
    let set = async || connection.clone().set::<_, _, ()>("key", "value").await;
    set().await.unwrap();
    server.cli(&["REPLICAOF", "127.0.0.1", "1"]).await;
    let error = set().await.unwrap_err();
    assert_eq!(error.code(), Some("READONLY"));
    get(&connection).await.expect("a replica answers reads");
    wait_for_async(SOON, "it is asked again and again who serves there", async || {
        get(&connection).await.expect("reads go on meanwhile");
        set().await.unwrap_err();
        seen.count("connected to") >= 3
    })
    .await;
    let connects = proxy.counts().accepted;
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(500) {
        set().await.unwrap_err();
    }
    assert!(proxy.counts().accepted - connects <= 5, "no hot loop");
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(2) {
        set().await.unwrap_err();
    }
    proxy.set_upstream(other.port());
    let started = Instant::now();
    wait_for_async(SOON, "the new master takes writes", async || set().await.is_ok()).await;
    let longest = ConnectionPolicy::BACKOFF.longest();
    assert!(started.elapsed() < longest + SLACK, "waits have grown: {:?}", started.elapsed());
}

#[tokio::test]
async fn replacements_in_a_row_wait_as_failures_do_until_one_of_them_serves() {
    let server = RedisServer::start().await;
    let waits = Arc::new(Mutex::new(Vec::new()));
    let observer = {
        let waits = waits.clone();
        move |event: &Event<'_>| {
            if let Event::Disconnected { retry_after, .. } = event {
                waits.lock().unwrap().push(*retry_after);
            }
        }
    };
    let backoff = Backoff::growing(Duration::from_millis(100), Duration::from_millis(800));
    let builder = Connection::open(server.url()).unwrap().policy(QUICK.backoff(backoff));
    let connection = builder.observe(observer).spawn();
    let set = async || connection.clone().set::<_, _, ()>("key", "value").await;
    let demoted_for = async |replacements: usize| {
        waits.lock().unwrap().clear();
        server.cli(&["REPLICAOF", "127.0.0.1", "1"]).await;
        wait_for_async(SOON, "it is replaced so often", async || {
            set().await.unwrap_err();
            waits.lock().unwrap().len() >= replacements
        })
        .await;
        server.cli(&["REPLICAOF", "NO", "ONE"]).await;
        waits.lock().unwrap()[..replacements].to_vec()
    };
    comes_back(&connection).await;
    tokio::time::sleep(backoff.longest()).await;
    for _ in 0..2 {
        let waited = demoted_for(6).await;
        let least = [0, 50, 100, 200, 400, 400].map(Duration::from_millis);
        let most = [0, 100, 200, 400, 800, 800].map(Duration::from_millis);
        assert!(waited.iter().zip(least).all(|(wait, least)| *wait >= least), "{waited:?}");
        assert!(waited.iter().zip(most).all(|(wait, most)| *wait <= most), "{waited:?}");
        let served = Instant::now();
        while served.elapsed() < 3 * backoff.longest() {
            set().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_demoted_server_that_hangs_is_given_up_before_another_connection_is_made() {
    let server = RedisServer::start().await;
    let policy = QUICK.backoff(Backoff::fixed(Duration::from_secs(1)));
    let (connection, seen) = connected(&server.url(), policy).await;
    server.cli(&["REPLICAOF", "127.0.0.1", "1"]).await;
    let error = connection.clone().set::<_, _, ()>("key", "value").await.unwrap_err();
    assert_eq!(error.code(), Some("READONLY"));
    wait_for(SOON, "it is to be replaced", || seen.count("disconnected") == 1).await;
    server.pause();
    let started = Instant::now();
    assert!(get(&connection).await.unwrap_err().is_timeout());
    fails_fast(&connection).await;
    assert!(started.elapsed() < 3 * BUDGET + 3 * SLACK, "{:?}", started.elapsed());
    assert_eq!(seen.count("connected to"), 1);
    server.resume();
    comes_back(&connection).await;
}

#[tokio::test]
async fn the_reason_for_a_replacement_repeats_nothing_of_a_request() {
    let server = RedisServer::start().await;
    let (mut connection, seen) = connected(&server.url(), QUICK).await;
    let mut eval = cmd("EVAL");
    eval.arg("return redis.error_reply('READONLY ' .. ARGV[1])").arg(0).arg("payload");
    let error = eval.query_async::<Value>(&mut connection).await.unwrap_err();
    assert!(error.to_string().contains("payload"), "{error}");
    wait_for(SOON, "it is replaced", || seen.count("disconnected") == 1).await;
    let all = seen.all().concat();
    assert!(all.contains("READONLY") || all.contains("ReadOnly"), "{all}");
    assert!(!all.contains("payload"), "{all}");
}

#[tokio::test]
async fn an_idle_connection_over_resp3_is_made_again_before_the_next_call() {
    let mut server = RedisServer::start().await;
    let url = format!("{}?protocol=resp3", server.url());
    let (connection, seen) = connected(&url, QUICK).await;
    server.kill();
    wait_for(SOON, "the loss is noticed without a call", || !connection.is_connected()).await;
    server.restart().await;
    wait_for(SOON, "it is connected without a call", || connection.is_connected()).await;
    get(&connection).await.unwrap();
    assert_eq!(seen.count("connected to"), 2);
}

#[tokio::test]
async fn the_driver_ends_with_the_last_handle() {
    let mut server = RedisServer::start().await;
    let (connection, driver) = Connection::open(server.url()).unwrap().policy(QUICK).build();
    let driver = tokio::spawn(driver);
    let clone = connection.clone();
    timeout(SOON, connection.wait_until_connected()).await.unwrap().unwrap();
    drop(connection);
    get(&clone).await.unwrap();
    assert!(!driver.is_finished());
    drop(clone);
    timeout(SOON, driver).await.expect("it ends while connected").unwrap();

    server.kill();
    let (connection, driver) = Connection::open(server.url()).unwrap().build();
    let driver = tokio::spawn(driver);
    fails_fast(&connection).await;
    drop(connection);
    timeout(SOON, driver).await.expect("it ends while down").unwrap();
}

#[tokio::test]
async fn a_connection_without_its_driver_says_so() {
    let server = RedisServer::start().await;
    let (connection, driver) = Connection::open(server.url()).unwrap().policy(QUICK).build();
    let driver = tokio::spawn(driver);
    timeout(SOON, connection.wait_until_connected()).await.unwrap().unwrap();
    driver.abort();
    let error = fails_fast(&connection).await;
    assert!(error.to_string().contains("its driver has ended"), "{error}");
    assert!(connection.wait_until_connected().await.is_err());
}

#[tokio::test]
async fn no_connection_is_left_behind() {
    let server = RedisServer::start().await;
    let proxy = Proxy::start(server.port());
    let (connection, seen) = connected(&proxy.url(), QUICK).await;
    for n in 2..12 {
        proxy.set_both(Flow::Hold, Scope::Established);
        wait_for_async(SOON, "it is replaced", async || get(&connection).await.is_ok()).await;
        assert_eq!(seen.count("connected to"), n);
        proxy.set_both(Flow::Pass, Scope::All);
    }
    wait_for(SOON, "one connection is open", || proxy.established() == 1).await;
    drop(connection);
    wait_for(SOON, "none is open", || proxy.established() == 0).await;
}

/// What an attempt at a login with this password puts into words.
async fn said_of_login(server: &RedisServer, secret: &str, query: &str) -> Vec<String> {
    let url = format!("{}{query}", server.url_as("default", secret));
    let seen = Seen::default();
    let connector = Connector::open(url.as_str()).unwrap();
    let refused = connector.clone().oneshot(()).await.map(|_| "a connection").unwrap_err();
    let mut said = vec![format!("{connector:?} {refused} {refused:?}")];
    let builder = Connection::open(url).unwrap().policy(QUICK).observe(seen.observer());
    said.push(format!("{builder:?}"));
    let (connection, driver) = builder.build();
    said.push(format!("{driver:?} {connection:?}"));
    tokio::spawn(driver);
    let error = fails_fast(&connection).await;
    said.push(format!("{connection:?} {error} {error:?}"));
    wait_for(SOON, "tries fail", || seen.count("disconnected from") >= 2).await;
    said.extend(seen.all());
    said
}

#[tokio::test]
async fn no_secret_reaches_debug_output_errors_or_events() {
    const SECRET: &str = "hunter2";
    let hello = ["--requirepass", "other", "--rename-command", "HELLO", ""];
    let server = RedisServer::start_with(&hello).await;
    let mut said = said_of_login(&server, SECRET, "").await;
    said.extend(said_of_login(&server, SECRET, "?protocol=resp3").await);
    let broken = Connection::open(format!("redis://:{SECRET}@host:port/")).unwrap_err();
    said.push(format!("{broken} {broken:?}"));
    assert!(said.len() >= 12);
    for text in said {
        assert!(!text.contains(SECRET), "{text}");
    }
}

/// The server cuts off the arguments that it repeats, so that they do not hold the whole password.
#[tokio::test]
async fn no_part_of_a_long_secret_reaches_debug_output_errors_or_events() {
    let secret: String = (0..50).map(|n| format!("{:04}", n * 7919 % 10_000)).collect();
    assert_eq!(secret.len(), 200);
    let hello = ["--requirepass", "other", "--rename-command", "HELLO", ""];
    let server = RedisServer::start_with(&hello).await;
    let mut said = said_of_login(&server, &secret, "").await;
    said.extend(said_of_login(&server, &secret, "?protocol=resp3").await);
    for text in said {
        for part in secret.as_bytes().windows(8) {
            let part = std::str::from_utf8(part).unwrap();
            assert!(!text.contains(part), "{part} in {text}");
        }
    }
}

#[tokio::test]
async fn of_a_refused_login_the_code_is_kept() {
    let server = RedisServer::start_with(&["--requirepass", "other"]).await;
    let url = format!("{}?protocol=resp3", server.url_as("default", "guess"));
    let refused =
        Connector::open(url).unwrap().oneshot(()).await.map(|_| "a connection").unwrap_err();
    assert_eq!(refused.code(), Some("WRONGPASS"));
    assert_eq!(Verdict::of(&refused), Verdict::Unavailable);
    assert!(!Unavailable::may_have_run(&refused), "{refused}");
}

fn failing(error: RedisError) -> (Arc<Mutex<Vec<tokio::time::Instant>>>, impl Connecting) {
    let tries = Arc::new(Mutex::new(Vec::new()));
    let connector = {
        let tries = tries.clone();
        service_fn(move |()| {
            tries.lock().unwrap().push(tokio::time::Instant::now());
            std::future::ready(Err::<MultiplexedConnection, _>(error.clone()))
        })
    };
    (tries, connector)
}

/// Short for the bounds of a connector.
trait Connecting:
    tower::Service<
        (),
        Response = MultiplexedConnection,
        Error = RedisError,
        Future = std::future::Ready<RedisResult<MultiplexedConnection>>,
    > + Send
    + 'static
{
}

impl<S> Connecting for S where
    S: tower::Service<
            (),
            Response = MultiplexedConnection,
            Error = RedisError,
            Future = std::future::Ready<RedisResult<MultiplexedConnection>>,
        > + Send
        + 'static
{
}

#[tokio::test(start_paused = true)]
async fn waits_between_tries_grow_up_to_their_cap() {
    let (tries, connector) = failing((ErrorKind::Io, "no").into());
    let backoff = Backoff::growing(Duration::from_millis(50), Duration::from_millis(300));
    let policy = ConnectionPolicy::DEFAULT.backoff(backoff);
    let connection = Connection::builder("nowhere", connector).policy(policy).spawn();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let tries = tries.lock().unwrap().clone();
    let waits: Vec<_> = tries.windows(2).map(|two| (two[1] - two[0]).as_millis()).collect();
    assert_eq!(waits[..5], [50, 100, 200, 300, 300]);
    assert!(!connection.is_connected());
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_failure_to_connect_is_tried_again() {
    let io = |kind| RedisError::from(std::io::Error::from(kind));
    let errors = [
        io(std::io::ErrorKind::ConnectionRefused),
        io(std::io::ErrorKind::PermissionDenied),
        io(std::io::ErrorKind::Unsupported),
        io(std::io::ErrorKind::TimedOut),
        std::io::Error::other("failed to lookup address information").into(),
        (ErrorKind::Parse, "garbage").into(),
        (ErrorKind::AuthenticationFailed, "no").into(),
        (ErrorKind::InvalidClientConfig, "no").into(),
        (ErrorKind::Client, "tls").into(),
        (ErrorKind::Extension, "no").into(),
        (ErrorKind::UnexpectedReturnType, "no").into(),
        (ErrorKind::RESP3NotSupported, "no").into(),
        (ErrorKind::MasterNameNotFoundBySentinel, "no").into(),
    ];
    for error in errors {
        let (tries, connector) = failing(error.clone());
        let connection = Connection::builder("nowhere", connector).spawn();
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert!(tries.lock().unwrap().len() >= 15, "{error}");
        let refused = cmd("GET").query_async::<Value>(&mut connection.clone()).await.unwrap_err();
        assert_eq!(Verdict::of(&refused), Verdict::Unavailable, "{error}");
        assert!(!Unavailable::may_have_run(&refused), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connector_that_hangs_is_given_up_after_the_connect_timeout() {
    let tries = Arc::new(AtomicU32::new(0));
    let connector = service_fn({
        let tries = tries.clone();
        move |()| {
            tries.fetch_add(1, Ordering::Relaxed);
            std::future::pending::<RedisResult<MultiplexedConnection>>()
        }
    });
    let connection = Connection::builder("nowhere", connector).spawn();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(tries.load(Ordering::Relaxed) >= 4);
    assert!(!connection.is_connected());
}

#[tokio::test]
async fn events_tell_every_loss_and_every_connection_and_a_panicking_observer_harms_nothing() {
    let mut server = RedisServer::start().await;
    let seen = Seen::default();
    let connection = Connection::open(server.url())
        .unwrap()
        .policy(QUICK)
        .observe(|_: &Event<'_>| panic!("an observer of the test"))
        .observe(seen.observer())
        .spawn();
    comes_back(&connection).await;
    server.kill();
    fails_fast(&connection).await;
    server.restart().await;
    comes_back(&connection).await;
    let all = seen.all();
    assert!(all[0].starts_with("connected to 127.0.0.1:"), "{all:?}");
    assert!(all[1].starts_with("disconnected from 127.0.0.1:"), "{all:?}");
    assert!(all.last().unwrap().starts_with("connected to"), "{all:?}");
}

#[tokio::test]
async fn the_caller_own_errors_leave_the_connection_alone() {
    let server = RedisServer::start().await;
    let (connection, seen) = connected(&server.url(), QUICK).await;
    let id = client_id(&connection).await.unwrap();
    server.cli(&["SET", "key", "text"]).await;
    for _ in 0..1_000 {
        let result = connection.clone().lpush::<_, _, u64>("key", 1).await;
        assert_eq!(result.as_ref().unwrap_err().code(), Some("WRONGTYPE"));
        let outcome = tower_failover::Classify::classify(&Unavailable, &result);
        assert_eq!(outcome, Outcome::Success);
    }
    assert_eq!(client_id(&connection).await.unwrap(), id);
    assert_eq!(seen.count("disconnected"), 0);
}

#[test]
#[should_panic(expected = "the response timeout is above zero")]
fn a_response_timeout_of_zero_panics() {
    let _ = ConnectionPolicy::DEFAULT.response_timeout(Duration::ZERO);
}

#[test]
#[should_panic(expected = "the connect timeout is above zero")]
fn a_connect_timeout_of_zero_panics() {
    let _ = ConnectionPolicy::DEFAULT.connect_timeout(Duration::ZERO);
}

#[test]
#[should_panic(expected = "timeouts before a reconnect is above zero")]
fn reconnecting_after_no_timeouts_panics() {
    let _ = ConnectionPolicy::DEFAULT.reconnect_after_timeouts(0);
}
