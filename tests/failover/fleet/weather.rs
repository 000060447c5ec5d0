use std::time::Duration;

use fastrand::Rng;
use tokio::time::sleep;

use super::watch::Watch;
use crate::support::{Fault, Site};

fn millis(random: &mut Rng, range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(random.u64(range))
}

/// What a site does while nothing is wrong with it.
pub(super) fn calm(random: &mut Rng) -> Fault {
    Fault::Slow(millis(random, 1..5))
}

/// Has faults befall the sites, until it is dropped: mostly one of them, now and then a tier, and
/// seldom all. Between two faults it is calm for up to this long.
pub(super) async fn storm(sites: Vec<Site>, calm: Duration, watch: Watch, mut random: Rng) {
    loop {
        sleep(calm.mul_f64(random.f64())).await;
        let (scope, first, count) = match random.u32(0..20) {
            0 => ("storm", 0, sites.len()),
            1..4 => ("tier", random.usize(0..3) * 4, 4),
            _ => ("site", random.usize(0..sites.len()), 1),
        };
        watch.count(scope);
        for site in &sites[first..first + count] {
            tokio::task::spawn_local(befall(site.clone(), watch.clone(), random.fork()));
        }
    }
}

/// One fault of one site, from its beginning to its end.
async fn befall(site: Site, watch: Watch, mut random: Rng) {
    let (name, fault) = match random.u32(0..12) {
        0 => ("refused", Fault::Refused),
        1 => ("dropped", Fault::Dropped),
        2 => ("hanging", Fault::Hangs),
        3 => ("slow", Fault::Slow(millis(&mut random, 100..500))),
        4 => ("unready", random.choice([Fault::Unready, Fault::NeverReady]).unwrap()),
        // Its checks are good all the while.
        5 => ("lying", Fault::Bad),
        _ => ("flapping", random.choice([Fault::Refused, Fault::Hangs]).unwrap()),
    };
    watch.count(name);
    let turns = if name == "flapping" { random.u32(5..50) } else { 1 };
    for _ in 0..turns {
        site.set(fault);
        let longest = if name == "flapping" { 300 } else { 6_000 };
        sleep(millis(&mut random, 50..longest)).await;
        site.set(calm(&mut random));
        watch.wake();
        if name == "flapping" {
            sleep(millis(&mut random, 50..300)).await;
        }
    }
}
