//! Logins that are refused for so long that every wait has grown to its cap, then taken again.

use std::time::{Duration, Instant};

use tokio::{runtime::Builder, time::sleep};
use tower_failover::redis::ConnectionPolicy;

use super::{
    harness::{Guarantee::Back, *},
    support::{Proxy, RedisServer},
};

const REFUSED_FOR: Duration = Duration::from_secs(15);
const BOUNDS: Bounds = Bounds { x: ms(50), y: ms(1_000) };
const CALLERS: usize = 4;
/// Eighty callers and twenty networks are a load of their own.
const PAUSE: Duration = ms(40);
/// Tries to log in while it is refused, by one user: each waits half a second at most.
const LEAST_TRIES: u64 = 20;

/// Every user has a stack of its own, and a way of its own to the one server, on which logins are
/// counted.
async fn refused(name: &'static str, design: Design, users: usize, within: Duration) -> Report {
    let server = RedisServer::start().await;
    let mut stacks = Vec::new();
    for n in 0..users {
        let user = format!("user{n}");
        server.cli(&["ACL", "SETUSER", &user, "on", ">secret", "~*", "+@all"]).await;
        let proxy = Proxy::start(server.port());
        let url = format!("redis://{user}:secret@127.0.0.1:{}/", proxy.port());
        let mut lane = Lane::start(&design, url, proxy.port()).await;
        lane.call(CALLERS, PAUSE, Work::Echo);
        stacks.push((user, proxy, lane));
    }
    let since = Instant::now();
    for (user, _, lane) in &stacks {
        assert!(holds(PATIENCE, || lane.is_served_since(since, CALLERS)).await, "{user} is served");
    }

    let mut faults = Vec::new();
    for (user, proxy, _) in &stacks {
        let before = Instant::now();
        server.cli(&["ACL", "SETUSER", user, "off"]).await;
        server.cli(&["CLIENT", "KILL", "USER", user]).await;
        faults.push((Span { before, after: Instant::now() }, proxy.counts().accepted));
    }
    sleep(REFUSED_FOR).await;
    let mut cycles = Vec::new();
    for ((user, proxy, _), (fault, accepted)) in stacks.iter().zip(faults) {
        let tries = proxy.counts().accepted - accepted;
        let before = Instant::now();
        server.cli(&["ACL", "SETUSER", user, "on"]).await;
        let heal = Span { before, after: Instant::now() };
        cycles.push(Cycle { fault, heal, happened: tries >= LEAST_TRIES, connects: None });
    }

    let mut records = Vec::new();
    for ((_, _proxy, lane), cycle) in stacks.into_iter().zip(cycles) {
        holds(within, || lane.is_served_since(cycle.heal.before, 1)).await;
        records.push(lane.end(vec![cycle]).await);
    }
    Report::of(name, 0, users, BOUNDS, records)
}

fn run(name: &'static str, design: Design, users: usize, within: Duration) -> Report {
    // The networks go on while a stack is taken apart.
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(refused(name, design, users, within))
}

#[test]
fn refused_credentials() {
    let design = Design::client(Client::Own(CONNECTION.backoff(ConnectionPolicy::BACKOFF)));
    run("credentials refused", design, 20, PATIENCE).holds();
}

#[test]
fn refused_credentials_twin() {
    run("credentials refused", Design::client(Client::QuickManager), 2, ms(3_000)).violates(Back);
}
