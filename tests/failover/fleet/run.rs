use std::time::Duration;

use fastrand::Rng;
use tokio::{
    runtime::Builder,
    task::{LocalSet, spawn_local},
    time::{Instant, sleep, timeout},
};
use tower::{Service, ServiceExt};
use tower_failover::{
    Backoff, BoxError, Circuit, Outcome, Ratio,
    event::{Grade, HealthChange},
    failover::{Backend, By, Failover, Policy, Recovery},
    health::{self, Health},
};

use super::{
    report::Report,
    ship::Ship,
    watch::{Limits, Watch, repeat},
    weather::{calm, storm},
};
use crate::support::{BAD, Site};

const NAMES: [&str; 12] = [
    "near-1", "near-2", "near-3", "near-4", "far-1", "far-2", "far-3", "far-4", "last-1", "last-2",
    "last-3", "last-4",
];
const LASTS: Duration = Duration::from_secs(60);
const CALLERS: u64 = 4;

const FIRST_WAIT: Duration = Duration::from_secs(10);
const JITTER: u32 = 20;
const CHECK_EVERY: Duration = Duration::from_millis(500);
const POLICY: Policy = Policy::new().attempt_timeout(Duration::from_secs(1)).recovery(
    Recovery::new()
        .delay(
            Backoff::growing(FIRST_WAIT, Duration::from_secs(300)).jitter(Ratio::percent(JITTER)),
        )
        .check_every(CHECK_EVERY)
        .stable_after(LASTS),
);

/// A minute of a fleet. What is promised is worked out of the settings above, whatever it runs with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) seed: u64,
    pub(super) policy: Policy,
    /// The failover knows the health of its backends.
    pub(super) tells_health: bool,
    /// The longest time between two faults: short for even seeds.
    pub(super) calm: Duration,
}

/// How often a backend can come back by its waits, which double each time that it is left.
fn returns() -> usize {
    let waits = (0..).map(|times| FIRST_WAIT * (100 - JITTER) / 100 * 2u32.pow(times));
    let ends = waits.scan(Duration::ZERO, |end, wait| {
        *end += wait;
        Some(*end)
    });
    ends.take_while(|end| *end <= LASTS).count()
}

/// A backend is left once at first, and once for each return. Each leaving is a switch, and so is
/// each return. The start is one.
fn most_switches() -> usize {
    1 + NAMES.len() * 2 * (1 + returns())
}

/// A backend is tried once in an interval, and at the ends of waits, of which each begins by a trial.
fn most_trials() -> usize {
    2 * (1 + LASTS.div_duration_f64(CHECK_EVERY) as usize)
}

impl Run {
    pub(super) fn new(seed: u64) -> Self {
        let calm = Duration::from_secs(if seed.is_multiple_of(2) { 1 } else { 4 });
        Self { seed, policy: POLICY, tells_health: true, calm }
    }

    pub(super) fn run(self) -> Report {
        // The crate draws its jitter from the generator of this thread.
        fastrand::seed(self.seed);
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        LocalSet::new().block_on(&runtime.unwrap(), self.sail())
    }

    async fn sail(self) -> Report {
        let mut random = Rng::with_seed(self.seed);
        let sites = NAMES.map(Site::new);
        sites.iter().for_each(|site| site.set(calm(&mut random)));
        // Every other one is monitored.
        let healths = sites.each_ref().map(|site| {
            let is_monitored = random.bool();
            is_monitored.then(|| {
                let (health, monitor) = site.health(health::Policy::new());
                spawn_local(monitor);
                health
            })
        });
        let limits = Limits {
            budget: POLICY.budget(),
            most_trials: most_trials(),
            shortest_wait: FIRST_WAIT * (100 - JITTER) / 100,
            most_switches: most_switches(),
        };
        let watch = Watch::new(healths.to_vec(), limits);
        let mut builder =
            Failover::builder("fleet").policy(self.policy).repeat(By(repeat)).classify(judge);
        for (number, site) in sites.iter().enumerate() {
            let ship = Ship { number, service: site.service(), watch: watch.clone() };
            builder = builder.backend(self.backend(ship, healths[number].clone(), &mut random));
        }
        let (failover, upkeep) = builder.observe(watch.observer()).build();
        watch.look_at(failover.control());
        spawn_local(upkeep);
        spawn_local(storm(sites.to_vec(), self.calm, watch.clone(), random.fork()));
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| spawn_local(caller(failover.clone(), watch.clone(), random.fork())))
            .collect();
        for caller in callers {
            caller.await.unwrap();
        }
        for health in healths.iter().flatten() {
            let fell = |change: &HealthChange| change.to() == Grade::Unhealthy;
            health.history().into_iter().filter(fell).for_each(|_| watch.count("unhealthy"));
        }
        watch.report(self.seed)
    }

    fn backend(&self, ship: Ship, health: Option<Health>, random: &mut Rng) -> Backend<Ship> {
        let (number, name) = (ship.number, NAMES[ship.number]);
        let mut backend = Backend::new(name, ship).tier(number as u32 / 4).weight(random.u32(1..4));
        if let Some(health) = health.filter(|_| self.tells_health) {
            backend = backend.health(health);
        }
        if random.u32(0..3) == 0 {
            backend = backend.circuit(Circuit::new(name));
        }
        backend
    }
}

fn judge(answer: &Result<&str, BoxError>) -> Outcome {
    if matches!(answer, Ok(answer) if *answer != BAD) { Outcome::Success } else { Outcome::Failure }
}

/// Calls, again and again, until the time is over.
async fn caller<S>(mut failover: S, watch: Watch, mut random: Rng)
where
    S: Service<u64, Response = &'static str>,
{
    let end = Instant::now() + LASTS;
    while Instant::now() < end {
        let began = Instant::now();
        let Ok(ready) = failover.ready().await else { unreachable!("always ready") };
        let call = ready.call(random.u64(..));
        // A call that never ends is found out, too.
        let answer = timeout(10 * POLICY.budget(), call).await;
        watch.answered(matches!(answer, Ok(Ok(answer)) if answer != BAD), began.elapsed());
        sleep(Duration::from_millis(random.u64(5..60))).await;
    }
}
