use std::time::Duration;

use redis::from_redis_value;
use tower_failover::{
    BoxError,
    failover::Backend,
    health::Health,
    redis::{Connection, ConnectionPolicy, RedisService, probe::Ping},
};

use crate::{
    ATTEMPT_TIMEOUT,
    support::{Direction, Flow, Proxy, RedisServer, Scope},
};

pub const ROUND_TRIP: Duration = Duration::from_millis(5);
const TIMES_SLOWER: u32 = 5;

/// Keeps every write over a kill; synced once a second, a server may answer before it has written.
const ON_DISK: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "no"];

/// A server, and the network in front of it.
pub struct Region {
    server: RedisServer,
    network: Proxy,
    pub health: Health,
}

impl Region {
    /// Its key `region` holds its name.
    pub async fn start(
        name: &'static str,
    ) -> Result<(Self, Backend<RedisService<Connection>>), BoxError> {
        let server = RedisServer::start_with(&ON_DISK).await;
        server.cli(&["SET", "region", name]).await;
        let network = Proxy::start(server.port());
        network.set(Direction::ToClient, Flow::Delay(ROUND_TRIP), Scope::All);

        let url = format!("{}?protocol=resp3", network.url());
        let pinged = Connection::open(url.as_str())?.spawn();
        pinged.wait_until_connected().await?;
        let ping = Ping::new(RedisService::new(pinged));
        let (health, monitor) = Health::builder(name).probe(ping).monitor();
        tokio::spawn(monitor);
        let connection = Connection::open(url.as_str())?.observe(health.signals()).spawn();
        connection.wait_until_connected().await?;
        let backend = Backend::new(name, RedisService::new(connection)).health(health.clone());
        Ok((Self { server, network, health }, backend))
    }

    pub async fn counter(&self) -> Result<u64, BoxError> {
        let count: Option<u64> = from_redis_value(self.server.cli(&["GET", "counter"]).await)?;
        Ok(count.unwrap_or(0))
    }
}

#[derive(Clone, Copy)]
pub enum Fault {
    Killed,
    Paused,
    Slowed,
}

impl Fault {
    pub const ALL: [Self; 3] = [Self::Killed, Self::Paused, Self::Slowed];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::Paused => "paused",
            Self::Slowed => "slowed",
        }
    }

    pub fn strike(self, region: &mut Region) {
        match self {
            Self::Killed => region.server.kill(),
            Self::Paused => region.server.pause(),
            Self::Slowed => {
                let usual = region.health.snapshot().baseline.unwrap_or(ROUND_TRIP);
                let slower = Flow::Delay(ROUND_TRIP + usual * (TIMES_SLOWER - 1));
                region.network.set(Direction::ToClient, slower, Scope::All);
            }
        }
    }

    pub async fn heal(self, region: &mut Region) {
        match self {
            Self::Killed => region.server.restart().await,
            Self::Paused => region.server.resume(),
            Self::Slowed => {
                region.network.set(Direction::ToClient, Flow::Delay(ROUND_TRIP), Scope::All);
            }
        }
    }

    /// Whether calls that are under way when it strikes are not answered.
    pub const fn interrupts(self) -> bool {
        match self {
            Self::Killed | Self::Paused => true,
            Self::Slowed => false,
        }
    }

    /// Until another region answers.
    pub const fn routed_around_within(self) -> Duration {
        match self {
            Self::Killed | Self::Paused => ATTEMPT_TIMEOUT,
            Self::Slowed => Duration::from_secs(10),
        }
    }

    /// Until a check can be good: who was killed has to be connected to again, and the average of who
    /// was slow comes down slowly.
    pub fn seen_to_be_over_within(self, region: &Region) -> Duration {
        let policy = region.health.policy();
        match self {
            Self::Killed => ConnectionPolicy::BACKOFF.longest(),
            Self::Paused => Duration::ZERO,
            Self::Slowed => 2 * policy.recovers_within(),
        }
    }

    /// A call that runs into a timeout takes no longer than it; no other needs one.
    pub const fn slowest_call(self) -> Duration {
        match self {
            Self::Killed | Self::Slowed => ConnectionPolicy::RESPONSE_TIMEOUT,
            Self::Paused => ATTEMPT_TIMEOUT,
        }
    }
}
