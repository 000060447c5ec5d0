//! A cache of three levels: memory, then Redis, then a list that is compiled in. A level that fails
//! is passed over within the same call, and is brought up to date before it answers again. Starts
//! its own `redis-server`. `cargo run --example tiers`
#![allow(clippy::disallowed_methods, reason = "an application spawns what it is handed")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::{
    collections::BTreeMap,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use redis::{AsyncCommands, from_redis_value};
use support::RedisServer;
use tokio::time::{Instant, sleep};
use tower::{ServiceExt, service_fn, util::BoxCloneSyncService};
use tower_failover::{
    Backoff, BoxError,
    failover::{Backend, Failover, Policy, Recovery, Repeat},
    health::{self, Health},
    redis::{Connection, RedisService, probe::Ping},
};

/// Keeps every write over a kill; synced once a second, a server may answer before it has written.
const ON_DISK: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "no"];
const PRODUCT: &str = "tea";
const LIST_PRICE: u32 = 9;
const PAUSE: Duration = Duration::from_millis(2);
const SOON: Duration = Duration::from_secs(10);

const CHECKS: health::Policy =
    health::Policy::new().interval(Duration::from_millis(100)).timeout(Duration::from_millis(100));
const RECOVERY: Recovery = Recovery::new()
    .delay(Backoff::fixed(Duration::from_millis(300)))
    .check_every(Duration::from_millis(100));

/// Who answered, and what.
type Answer = (&'static str, u32);
type Level = BoxCloneSyncService<&'static str, Answer, BoxError>;
type Prices = BTreeMap<&'static str, u32>;

/// The first level: none while it is lost.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Option<Prices>>>);

impl Memory {
    fn prices(&self) -> MutexGuard<'_, Option<Prices>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn level(&self) -> Level {
        let memory = self.clone();
        Level::new(service_fn(move |product| {
            let prices = memory.prices();
            // One that was not brought up to date gives itself away by a price of nothing.
            let price = prices.as_ref().map(|it| it.get(product).copied().unwrap_or_default());
            let answer = price.map(|price| ("memory", price));
            std::future::ready(answer.ok_or_else(|| "memory is lost".into()))
        }))
    }
}

/// The second level, and what was written while it was away.
#[derive(Clone)]
struct Store {
    redis: Connection,
    owed: Arc<Mutex<Prices>>,
    caught_up: Arc<AtomicUsize>,
}

impl Store {
    fn level(&self) -> Level {
        let store = self.clone();
        Level::new(service_fn(move |product| {
            let store = store.clone();
            async move { Ok(("redis", store.read(product).await?)) }
        }))
    }

    async fn read(&self, product: &'static str) -> Result<u32, BoxError> {
        Ok(self.redis.clone().get(product).await?)
    }

    fn owed(&self) -> MutexGuard<'_, Prices> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write(&self, product: &'static str, price: u32) {
        if self.redis.clone().set::<_, _, ()>(product, price).await.is_err() {
            self.owed().insert(product, price);
        }
    }

    /// The hook: what could not be written is written now, or is owed on.
    async fn catch_up(self) -> Result<(), BoxError> {
        let owed = mem::take(&mut *self.owed());
        for (&product, &price) in &owed {
            if let Err(error) = self.redis.clone().set::<_, _, ()>(product, price).await {
                let mut newer = self.owed();
                *newer = owed.iter().chain(&*newer).map(|(&key, &price)| (key, price)).collect();
                return Err(error.into());
            }
        }
        self.caught_up.fetch_add(owed.len(), Ordering::Relaxed);
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let mut server = RedisServer::start_with(&ON_DISK).await;
    let url = format!("{}?protocol=resp3", server.url());
    let pinged = RedisService::new(Connection::open(url.as_str())?.spawn());
    let (redis_health, monitor) =
        Health::builder("redis").policy(CHECKS).probe(Ping::new(pinged)).monitor();
    tokio::spawn(monitor);
    let redis = Connection::open(url.as_str())?.observe(redis_health.signals()).spawn();
    redis.wait_until_connected().await?;
    let store = Store { redis, owed: Arc::default(), caught_up: Arc::default() };

    let memory = Memory::default();
    let probed = memory.clone();
    let probe = move || {
        let there = probed.prices().is_some();
        std::future::ready(if there { Ok(()) } else { Err(BoxError::from("memory is lost")) })
    };
    let (memory_health, monitor) = Health::builder("memory").policy(CHECKS).probe(probe).monitor();
    tokio::spawn(monitor);

    let refilled = (memory.clone(), store.clone());
    let refill = move || {
        let (memory, store) = refilled.clone();
        async move {
            let price = store.read(PRODUCT).await?;
            memory.prices().get_or_insert_default().insert(PRODUCT, price);
            Ok::<_, BoxError>(())
        }
    };
    let owing = store.clone();
    let list = service_fn(|_| std::future::ready(Ok::<_, BoxError>(("list", LIST_PRICE))));
    let (levels, upkeep) = Failover::builder("prices")
        .backend(
            Backend::new("memory", memory.level()).tier(0).health(memory_health).catch_up(refill),
        )
        .backend(
            Backend::new("redis", store.level())
                .tier(1)
                .health(redis_health)
                .catch_up(move || owing.clone().catch_up()),
        )
        .backend(Backend::new("list", Level::new(list)).tier(2))
        .repeat(Repeat::Always)
        // A slow level is still better than the next one.
        .policy(Policy::new().recovery(RECOVERY).leaves_degraded(false))
        .build();
    tokio::spawn(upkeep);

    let ask = async || levels.clone().oneshot(PRODUCT).await;
    let expect = async |what: &str, answer: Answer| -> Result<(), BoxError> {
        let (by, price) = ask().await?;
        println!("{what} served_by={by} price={price}");
        if (by, price) == answer { Ok(()) } else { Err(format!("expected {answer:?}").into()) }
    };
    // From now on until this level answers, no call may fail or get a price that is out of date.
    let back = async |level: &str, price: u32| -> Result<(), BoxError> {
        let since = Instant::now();
        let mut calls = 0;
        while since.elapsed() < SOON {
            let (by, got) = ask().await?;
            calls += 1;
            if by == level && got == price {
                println!(
                    "back={by} price={got} after_ms={} calls={calls} failed=0",
                    since.elapsed().as_millis(),
                );
                return Ok(());
            }
            if by == level || by != "list" && got != price {
                return Err(format!("{by} answered {got}, which is out of date").into());
            }
            sleep(PAUSE).await;
        }
        Err(format!("{level} did not come back within {SOON:?}").into())
    };

    store.write(PRODUCT, 5).await;
    *memory.prices() = Some(Prices::from([(PRODUCT, 5)]));
    back("memory", 5).await?;

    *memory.prices() = None;
    expect("lost=memory", ("redis", 5)).await?;
    server.kill();
    expect("killed=redis", ("list", LIST_PRICE)).await?;

    store.write(PRODUCT, 6).await;
    println!("written={PRODUCT} price=6 owed={}", store.owed().len());
    server.restart().await;
    let kept: u32 = from_redis_value(server.cli(&["GET", PRODUCT]).await)?;
    println!("restarted=redis holds={kept}");
    back("redis", 6).await?;
    let caught_up = store.caught_up.load(Ordering::Relaxed);
    println!("caught_up={caught_up} owed={}", store.owed().len());
    if (kept, caught_up, store.owed().len()) != (5, 1, 0) {
        return Err("Redis answered without having been brought up to date".into());
    }

    *memory.prices() = Some(Prices::new());
    back("memory", 6).await
}
