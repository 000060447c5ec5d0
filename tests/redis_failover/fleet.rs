//! Servers that behave as one, each behind a network that can be broken.

use std::time::Duration;

use redis::{Cmd, Value, cmd, from_redis_value};
use tokio::{task::JoinHandle, time::timeout};
use tower::ServiceExt;
use tower_failover::{
    Backoff, BoxError,
    failover::{Backend, Failover, Policy, Recovery, Repeats},
    health::{self, Health},
    redis::{Connection, ConnectionPolicy, RedisService, Unavailable, probe::Write},
};

use crate::support::{Proxy, RedisServer, wait_for_async};

pub(crate) const RESPONSE_TIMEOUT: Duration = Duration::from_millis(300);
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(500);
/// What a busy machine may add.
pub(crate) const SLACK: Duration = Duration::from_millis(200);
/// An upper bound for a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(30);
pub(crate) const RECONNECT: Duration = Duration::from_millis(20);
/// Keeps every write over a kill; synced once a second, a server may answer before it has written.
const ON_DISK: [&str; 6] =
    ["--appendonly", "yes", "--appendfsync", "no", "--requirepass", PASSWORD];
pub(crate) const PASSWORD: &str = "open-sesame";
const DELAY: Duration = Duration::from_millis(300);
const CHECK_EVERY: Duration = Duration::from_millis(100);

const CONNECTION: ConnectionPolicy =
    ConnectionPolicy::DEFAULT.response_timeout(RESPONSE_TIMEOUT).backoff(Backoff::fixed(RECONNECT));
const CHECKS: health::Policy =
    health::Policy::new().interval(CHECK_EVERY).timeout(CHECK_EVERY).without_slow_factor();
const POLICY: Policy = Policy::new()
    .attempt_timeout(ATTEMPT_TIMEOUT)
    .recovery(Recovery::new().delay(Backoff::fixed(DELAY)).check_every(CHECK_EVERY));

/// From the first answer to a check until calls are answered again: the health has to say so, then
/// the recovery waits, and checks at the end.
pub(crate) const BACK_WITHIN: Duration =
    CHECKS.recovers_within().saturating_add(DELAY).saturating_add(CHECK_EVERY);

pub(crate) type Redis<R> = Failover<RedisService<Connection>, R, Unavailable>;

pub(crate) struct Site {
    pub(crate) server: RedisServer,
    pub(crate) network: Proxy,
}

pub(crate) struct Fleet<R> {
    pub(crate) sites: Vec<Site>,
    pub(crate) redis: Redis<R>,
    tasks: Vec<JoinHandle<()>>,
}

impl<R> Fleet<R>
where
    R: Repeats<Cmd> + Clone + Send + Sync + 'static,
{
    /// Starts these, the first in the best tier. The key `site` of each holds its name.
    pub(crate) async fn start(repeat: R, names: &[&'static str]) -> Self {
        let (mut sites, mut tasks) = (Vec::new(), Vec::new());
        let mut builder =
            Failover::builder("fleet").repeat(repeat).classify(Unavailable).policy(POLICY);
        for (tier, name) in (0..).zip(names) {
            let server = RedisServer::start_with(&ON_DISK).await;
            server.cli(&["SET", "site", name]).await;
            let network = Proxy::start(server.port());
            let probe = Write::new(RedisService::new(open(&network).spawn()));
            let (health, monitor) = Health::builder(*name).policy(CHECKS).probe(probe).monitor();
            tasks.push(tokio::spawn(monitor));
            let connection = open(&network).observe(health.signals()).spawn();
            timeout(SOON, connection.wait_until_connected()).await.unwrap().unwrap();
            let backend = Backend::new(*name, RedisService::new(connection));
            builder = builder.backend(backend.tier(tier).health(health));
            sites.push(Site { server, network });
        }
        let (redis, upkeep) = builder.build();
        tasks.push(tokio::spawn(upkeep));
        Self { sites, redis, tasks }
    }

    pub(crate) fn first(&mut self) -> &mut Site {
        &mut self.sites[0]
    }

    /// Waits until the first site answers.
    pub(crate) async fn is_home(&self) {
        wait_for_async(SOON, "the first site serves", async || {
            matches!(ask(&self.redis, &get()).await.as_deref(), Ok("first"))
        })
        .await;
    }

    /// The key `counter` of each.
    pub(crate) async fn counters(&self) -> Vec<u64> {
        let mut counters = Vec::new();
        for site in &self.sites {
            let counter = site.server.cli(&["GET", "counter"]).await;
            counters.push(from_redis_value::<Option<u64>>(counter).unwrap().unwrap_or(0));
        }
        counters
    }

    /// Ends the failover: its background work ends with its last handle.
    pub(crate) async fn end(self) {
        drop(self.redis);
        for task in self.tasks {
            timeout(SOON, task).await.expect("ends with its handles").unwrap();
        }
    }
}

/// The name of the site that answers.
pub(crate) fn get() -> Cmd {
    cmd("GET").arg("site").clone()
}

/// The same by a command that is a write to the server.
pub(crate) fn get_by_a_write() -> Cmd {
    cmd("GETEX").arg("site").arg("PERSIST").clone()
}

pub(crate) async fn ask<R>(redis: &Redis<R>, command: &Cmd) -> Result<String, BoxError>
where
    R: Repeats<Cmd> + Clone + Send + Sync + 'static,
{
    let answer: Value = redis.clone().oneshot(command.clone()).await?;
    Ok(from_redis_value(answer)?)
}

fn open(
    network: &Proxy,
) -> tower_failover::redis::ConnectionBuilder<tower_failover::redis::Connector> {
    let url = format!("redis://:{PASSWORD}@127.0.0.1:{}/?protocol=resp3", network.port());
    Connection::open(url.as_str()).unwrap().policy(CONNECTION)
}
