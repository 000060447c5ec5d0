//! Redis in three regions behaves as one. The nearest is killed, paused, and slowed down, and no
//! call that may be repeated fails. Starts its own `redis-server`s. `cargo run --example regions`
//!
//! Two lines per fault: who answered instead and how soon, and when the nearest answered again. A
//! counter that must not count a call twice is held against what its callers were told.
#![allow(clippy::disallowed_methods, reason = "an application spawns what it is handed")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use redis::{Cmd, cmd, from_redis_value};
use support::{Direction, Flow, Proxy, RedisServer, Scope};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};
use tower::ServiceExt;
use tower_failover::{
    Backoff, BoxError, Ratio,
    event::Switch,
    failover::{Backend, Control, Failover, MayHaveRun, Policy, Recovery},
    health::Health,
    redis::{Commands, Connection, ConnectionPolicy, RedisService, Unavailable, probe::Ping},
};

const NEAREST: &str = "eu";
const REGIONS: [&str; 3] = [NEAREST, "us", "ap"];
const ROUND_TRIP: Duration = Duration::from_millis(5);
const TIMES_SLOWER: u32 = 5;

/// Keeps every write over a kill; synced once a second, a server may answer before it has written.
const ON_DISK: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "no"];
const READERS: usize = 8;
const COUNTERS: usize = 2;
const PAUSE: Duration = Duration::from_millis(2);
const AROUND: Duration = Duration::from_secs(2);
/// Until the health knows how fast the servers usually are.
const WARM_UP: Duration = Duration::from_secs(5);

/// The one setting that is not the default, which would wait for minutes from the third fault on.
const DELAY: Duration = Duration::from_secs(2);
const RECOVERY: Recovery = Recovery::new().delay(Backoff::fixed(DELAY).jitter(Ratio::percent(20)));
/// As they are by default.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(1);
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// What a busy machine may add.
const SLACK: Duration = Duration::from_millis(250);

type Redis = Failover<RedisService<Connection>, Commands, Unavailable>;

/// A server, and the network in front of it.
struct Region {
    server: RedisServer,
    network: Proxy,
    health: Health,
}

impl Region {
    async fn start(
        name: &'static str,
    ) -> Result<(Self, Backend<RedisService<Connection>>), BoxError> {
        let server = RedisServer::start_with(&ON_DISK).await;
        server.cli(&["SET", "region", name]).await;
        let network = Proxy::start(server.port());
        network.set(Direction::ToClient, Flow::Delay(ROUND_TRIP), Scope::All);

        let url = format!("{}?protocol=resp3", network.url());
        let ping = Ping::new(RedisService::new(Connection::open(url.as_str())?.spawn()));
        let (health, monitor) = Health::builder(name).probe(ping).monitor();
        tokio::spawn(monitor);
        let connection = Connection::open(url.as_str())?.observe(health.signals()).spawn();
        connection.wait_until_connected().await?;
        let backend = Backend::new(name, RedisService::new(connection)).health(health.clone());
        Ok((Self { server, network, health }, backend))
    }

    async fn counter(&self) -> Result<u64, BoxError> {
        let count: Option<u64> = from_redis_value(self.server.cli(&["GET", "counter"]).await)?;
        Ok(count.unwrap_or(0))
    }
}

#[derive(Clone, Copy)]
enum Fault {
    Killed,
    Paused,
    Slowed,
}

impl Fault {
    const fn name(self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::Paused => "paused",
            Self::Slowed => "slowed",
        }
    }

    fn strike(self, region: &mut Region) {
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

    async fn heal(self, region: &mut Region) {
        match self {
            Self::Killed => region.server.restart().await,
            Self::Paused => region.server.resume(),
            Self::Slowed => {
                region.network.set(Direction::ToClient, Flow::Delay(ROUND_TRIP), Scope::All);
            }
        }
    }

    /// Until another region answers.
    const fn routed_around_within(self) -> Duration {
        match self {
            Self::Killed | Self::Paused => ATTEMPT_TIMEOUT,
            Self::Slowed => Duration::from_secs(10),
        }
    }

    /// A call that needs a timeout is not slower than one; one that is refused needs none.
    const fn slowest_call(self) -> Duration {
        match self {
            Self::Killed | Self::Slowed => ConnectionPolicy::RESPONSE_TIMEOUT,
            Self::Paused => ATTEMPT_TIMEOUT,
        }
    }
}

/// What a reader was answered, and when.
struct Answer {
    began: Instant,
    ended: Instant,
    by: Result<String, BoxError>,
}

/// What the counting callers were told.
#[derive(Default)]
struct Told {
    done: u64,
    may_have_run: u64,
    not_run: u64,
}

/// Looks at every answer that a reader gets.
struct Watch {
    answers: UnboundedReceiver<Answer>,
    read: usize,
    failed: usize,
    slowest: Duration,
}

impl Watch {
    /// The first answer like this, unless there is none in time.
    async fn until(&mut self, deadline: Instant, is: impl Fn(&Answer) -> bool) -> Option<Answer> {
        while let Ok(Some(answer)) = timeout_at(deadline, self.answers.recv()).await {
            self.read += 1;
            self.slowest = self.slowest.max(answer.ended - answer.began);
            if let Err(error) = &answer.by {
                self.failed += 1;
                eprintln!("a reader failed: {error}");
            }
            if is(&answer) {
                return Some(answer);
            }
        }
        None
    }

    async fn settle(&mut self, time: Duration) {
        self.until(Instant::now() + time, |_| false).await;
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let mut regions = Vec::new();
    let mut builder = Failover::builder("redis")
        .repeat(Commands::new())
        .classify(Unavailable)
        .policy(Policy::new().recovery(RECOVERY));
    for (tier, name) in (0..).zip(REGIONS) {
        let (region, backend) = Region::start(name).await?;
        regions.push(region);
        builder = builder.backend(backend.tier(tier));
    }
    let (failover, upkeep) = builder.build();
    tokio::spawn(upkeep);
    println!(
        "round_trip={ROUND_TRIP:?} attempt_timeout={:?} checked_every={:?} recovery_delay={DELAY:?}",
        ATTEMPT_TIMEOUT, CHECK_EVERY,
    );

    let stop = Arc::new(AtomicBool::new(false));
    let (sender, answers) = unbounded_channel();
    let (mut readers, mut counters) = (JoinSet::new(), JoinSet::new());
    for _ in 0..READERS {
        readers.spawn(read_for_ever(failover.clone(), sender.clone()));
    }
    for _ in 0..COUNTERS {
        counters.spawn(count_until(stop.clone(), failover.clone()));
    }
    let mut watch = Watch { answers, read: 0, failed: 0, slowest: Duration::ZERO };
    let mut missed = Vec::new();
    watch.settle(WARM_UP).await;
    for fault in [Fault::Killed, Fault::Paused, Fault::Slowed] {
        missed.extend(endure(fault, &mut regions[0], &failover.control(), &mut watch).await);
    }

    readers.shutdown().await;
    stop.store(true, Ordering::Relaxed);
    let mut told = Told::default();
    for Told { done, may_have_run, not_run } in counters.join_all().await {
        told.done += done;
        told.may_have_run += may_have_run;
        told.not_run += not_run;
    }
    let mut counter = 0;
    for region in &regions {
        counter += region.counter().await?;
    }
    let Told { done, may_have_run, not_run } = told;
    println!(
        "reads={} failed={} counter={counter} counted={done} may_have_run={may_have_run} \
         not_run={not_run}",
        watch.read, watch.failed,
    );
    if !(done..=done + may_have_run).contains(&counter) {
        missed.push(format!(
            "the counter is {counter} after {done} to {} calls",
            done + may_have_run
        ));
    }
    if watch.failed > 0 {
        missed.push(format!("{} readers failed", watch.failed));
    }
    if missed.is_empty() { Ok(()) } else { Err(missed.join("; ").into()) }
}

/// Lets the fault strike the region and heals it, and says what missed its number.
async fn endure(
    fault: Fault,
    region: &mut Region,
    control: &Control,
    watch: &mut Watch,
) -> Vec<String> {
    let name = fault.name();
    let mut missed = Vec::new();
    let mut bound = |what: &str, took: Duration, limit: Duration| {
        if took > limit + SLACK {
            missed.push(format!("{name}: {what} {took:?}, longer than {limit:?}"));
        }
    };
    let failed = watch.failed;
    watch.slowest = Duration::ZERO;

    let struck_at = Instant::now();
    fault.strike(region);
    let deadline = struck_at + 2 * fault.routed_around_within();
    let by_another = |it: &Answer| it.by.as_ref().is_ok_and(|by| by != NEAREST);
    let Some(first) = watch.until(deadline, by_another).await else {
        return vec![format!("{name}: no other region answered")];
    };
    watch.settle(AROUND).await;
    let switched_after = first.ended - struck_at;
    println!(
        "fault={name} served_by={} switched_after_ms={} trigger={} failed={} slowest_ms={}",
        first.by.unwrap_or_default(),
        ms(switched_after),
        last(control, |it| it.from().is_some_and(|from| from.as_str() == NEAREST))
            .map_or("none", |switch| switch.trigger().as_str()),
        watch.failed - failed,
        ms(watch.slowest),
    );
    bound("another region answered after", switched_after, fault.routed_around_within());
    bound("a call took", watch.slowest, fault.slowest_call());

    fault.heal(region).await;
    let healed_at = Instant::now();
    let seen_within = region.health.policy().recovers_within() + AROUND;
    let back_within = seen_within + DELAY + CHECK_EVERY;
    let by_nearest =
        |it: &Answer| it.began >= healed_at && it.by.as_ref().is_ok_and(|by| by == NEAREST);
    let Some(back) = watch.until(healed_at + 2 * back_within, by_nearest).await else {
        missed.push(format!("{name}: {NEAREST} did not answer again"));
        return missed;
    };
    let switch = last(control, |it| it.to().is_some_and(|to| to.as_str() == NEAREST));
    let waited = switch.as_ref().map_or(Duration::ZERO, Switch::switched_after);
    println!(
        "back_on={NEAREST} after_ms={} first_good_check_to_switch_ms={} trigger={}",
        ms(back.ended - healed_at),
        ms(waited),
        switch.map_or("none", |switch| switch.trigger().as_str()),
    );
    bound("back after", back.ended - healed_at, back_within);
    bound("back, since the first good check, after", waited, DELAY + CHECK_EVERY);
    watch.settle(AROUND).await;
    missed
}

fn last(control: &Control, is: impl Fn(&Switch) -> bool) -> Option<Switch> {
    control.history().into_iter().rev().find(is)
}

fn ms(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e3)
}

async fn read_for_ever(redis: Redis, answers: UnboundedSender<Answer>) {
    loop {
        let began = Instant::now();
        let by = read(redis.clone()).await;
        if answers.send(Answer { began, ended: Instant::now(), by }).is_err() {
            return;
        }
        sleep(PAUSE).await;
    }
}

async fn read(redis: Redis) -> Result<String, BoxError> {
    let get: &mut Cmd = &mut cmd("GET");
    Ok(from_redis_value(redis.oneshot(get.arg("region").clone()).await?)?)
}

async fn count_until(stop: Arc<AtomicBool>, redis: Redis) -> Told {
    let mut told = Told::default();
    while !stop.load(Ordering::Relaxed) {
        match redis.clone().oneshot(cmd("INCR").arg("counter").clone()).await {
            Ok(_) => told.done += 1,
            Err(error) if error.is::<MayHaveRun>() => told.may_have_run += 1,
            Err(_) => {
                told.not_run += 1;
                sleep(PAUSE).await;
            }
        }
    }
    told
}
