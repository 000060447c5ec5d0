//! Redis in three regions behaves as one. The nearest is killed, paused, and slowed down, and no
//! call that may be repeated fails. Starts its own `redis-server`s. `cargo run --example regions`
//!
//! Two lines per fault: who answered instead and how soon, and when the nearest answered again. A
//! counter that must not count a call twice is held against what its callers were told.
#![allow(clippy::disallowed_methods, reason = "an application spawns what it is handed")]
#![allow(unreachable_pub, reason = "its parts are modules")]

#[path = "regions/load.rs"]
mod load;
#[path = "regions/region.rs"]
mod region;
#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Duration;

use load::{Answer, Counters, Readers, Told};
use region::{Fault, ROUND_TRIP, Region};
use tokio::time::Instant;
use tower_failover::{
    Backoff, BoxError, Ratio,
    event::{Name, Switch},
    failover::{Control, Failover, Policy, Recovery},
    redis::{Commands, Connection, RedisService, Unavailable},
};

const NEAREST: &str = "eu";
const REGIONS: [&str; 3] = [NEAREST, "us", "ap"];

/// The one setting that is not the default, which would wait for longer after each fault.
const DELAY: Duration = Duration::from_secs(2);
const RECOVERY: Recovery = Recovery::new().delay(Backoff::fixed(DELAY).jitter(Ratio::percent(20)));
/// As they are by default.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(1);
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// Until the health knows how fast the servers usually are.
const WARM_UP: Duration = Duration::from_secs(5);
const AROUND: Duration = Duration::from_secs(2);
/// What a busy machine may add.
const SLACK: Duration = Duration::from_millis(250);

type Redis = Failover<RedisService<Connection>, Commands, Unavailable>;

/// What did not come out as it should.
#[derive(Default)]
struct Missed(Vec<String>);

impl Missed {
    fn unless(&mut self, holds: bool, what: &str) {
        if !holds {
            self.0.push(what.to_owned());
        }
    }

    fn bound(&mut self, what: &str, took: Duration, limit: Duration) {
        self.unless(took <= limit + SLACK, &format!("{what} {took:?}, more than {limit:?}"));
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
    let (redis, upkeep) = builder.build();
    tokio::spawn(upkeep);
    println!(
        "round_trip={ROUND_TRIP:?} attempt_timeout={ATTEMPT_TIMEOUT:?} \
         checked_every={CHECK_EVERY:?} recovery_delay={DELAY:?}"
    );

    let (mut readers, counters) = (Readers::start(&redis), Counters::start(&redis));
    let mut missed = Missed::default();
    readers.settle(WARM_UP).await;
    for fault in Fault::ALL {
        endure(fault, &mut regions[0], &redis.control(), &mut readers, &mut missed).await;
    }

    let Told { done, may_have_run, not_run } = counters.stop().await;
    let Readers { read, failed, .. } = readers;
    let mut counter = 0;
    for region in &regions {
        counter += region.counter().await?;
    }
    println!(
        "reads={read} failed={failed} counter={counter} counted={done} \
         may_have_run={may_have_run} not_run={not_run}"
    );
    missed.unless(failed == 0, "readers failed");
    missed.unless(may_have_run > 0, "no call was in doubt, so that nothing was shown");
    missed.unless(counter <= done + may_have_run, "the counter counted calls twice");
    missed.unless(counter >= done, "the counter lost calls");
    if missed.0.is_empty() { Ok(()) } else { Err(missed.0.join("; ").into()) }
}

/// Lets the fault strike the region, and heals it.
async fn endure(
    fault: Fault,
    region: &mut Region,
    control: &Control,
    readers: &mut Readers,
    missed: &mut Missed,
) {
    let name = fault.name();
    let failed = readers.failed;
    readers.slowest = Duration::ZERO;

    let struck_at = Instant::now();
    fault.strike(region);
    let deadline = struck_at + 2 * fault.routed_around_within();
    let Some(first) = readers.until(deadline, is_by_another).await else {
        return missed.unless(false, &format!("{name}: no other region answered"));
    };
    let switched_after = first.ended - struck_at;
    let switch = last(control, |switch| is_nearest(switch.from()));
    // Under way before the switch, and yet answered by the other region.
    let is_moved = |answer: &Answer| {
        is_by_another(answer) && switch.as_ref().is_some_and(|it| answer.began_at < it.at())
    };
    let moved = usize::from(is_moved(&first)) + readers.count(AROUND, is_moved).await;
    println!(
        "fault={name} served_by={} switched_after_ms={} trigger={} failed={} moved={moved} \
         slowest_ms={}",
        first.region(),
        ms(switched_after),
        trigger(switch.as_ref()),
        readers.failed - failed,
        ms(readers.slowest),
    );
    let what = format!("{name}: another region answered after");
    missed.bound(&what, switched_after, fault.routed_around_within());
    missed.bound(&format!("{name}: a call took"), readers.slowest, fault.slowest_call());
    missed.unless(moved > 0 || !fault.interrupts(), "no call was routed around it while under way");

    fault.heal(region).await;
    let healed_at = Instant::now();
    let back_within = fault.seen_to_be_over_within(region) + DELAY + CHECK_EVERY;
    let is_back = |it: &Answer| it.began >= healed_at && it.is_by(|region| region == NEAREST);
    let Some(back) = readers.until(healed_at + 2 * back_within, is_back).await else {
        return missed.unless(false, &format!("{name}: {NEAREST} did not answer again"));
    };
    let switch = last(control, |switch| is_nearest(switch.to()));
    let waited = switch.as_ref().map_or(Duration::ZERO, Switch::switched_after);
    println!(
        "back_on={NEAREST} after_ms={} first_good_check_to_switch_ms={} trigger={}",
        ms(back.ended - healed_at),
        ms(waited),
        trigger(switch.as_ref()),
    );
    missed.bound(&format!("{name}: back after"), back.ended - healed_at, back_within);
    let what = format!("{name}: back, from the first good check on, after");
    missed.bound(&what, waited, DELAY + CHECK_EVERY);
    readers.settle(AROUND).await;
}

fn is_by_another(answer: &Answer) -> bool {
    answer.is_by(|region| region != NEAREST)
}

fn is_nearest(region: Option<&Name>) -> bool {
    region.is_some_and(|region| region.as_str() == NEAREST)
}

fn last(control: &Control, is: impl Fn(&Switch) -> bool) -> Option<Switch> {
    control.history().into_iter().rev().find(is)
}

fn trigger(switch: Option<&Switch>) -> &'static str {
    switch.map_or("none", |switch| switch.trigger().as_str())
}

fn ms(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e3)
}
