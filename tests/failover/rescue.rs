//! Who serves while nobody is quite well.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tower_failover::{
    event::Grade,
    failover::{Failover, Repeat},
    health,
};

use crate::support::{Fault, Site, call, keep};

const SECOND: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(10);

/// A degraded backend serves when nobody else does: also one that came back so.
#[tokio::test(start_paused = true)]
async fn failover_promise_4_who_comes_back_degraded_serves_while_nobody_else_does() {
    for others in [false, true] {
        let (eu, us) = (Site::new("eu"), Site::new("us"));
        let mut builder = Failover::builder("f").repeat(Repeat::Always);
        for site in if others { vec![&eu, &us] } else { vec![&eu] } {
            let (health, monitor) = site.health(health::Policy::new());
            tokio::spawn(monitor);
            builder = builder.backend(site.backend().health(health));
        }
        let mut failover = keep(builder.build());
        sleep(10 * SECOND).await;
        assert_eq!(call(&mut failover).await.unwrap(), "eu");
        for site in [&eu, &us] {
            site.set(Fault::Refused);
        }
        sleep(10 * SECOND).await;
        call(&mut failover).await.unwrap_err();
        for site in [&eu, &us] {
            site.set(Fault::Slow(5 * TICK));
        }
        let began = Instant::now();
        while call(&mut failover).await.is_err() {
            assert!(began.elapsed() < 5 * SECOND, "not soon: {:?}", failover.status());
            sleep(10 * TICK).await;
        }
    }
}

/// And one that is out by a failed call.
#[tokio::test(start_paused = true)]
async fn a_degraded_backend_that_failed_once_serves_while_nobody_else_does() {
    let eu = Site::new("eu");
    let (health, monitor) = eu.health(health::Policy::new());
    tokio::spawn(monitor);
    let mut failover = keep(
        Failover::builder("f")
            .backend(eu.backend().health(health.clone()))
            .repeat(Repeat::Always)
            .build(),
    );
    sleep(10 * SECOND).await;
    eu.set(Fault::Slow(5 * TICK));
    sleep(20 * SECOND).await;
    assert_eq!(health.grade(), Grade::Degraded);
    assert_eq!(call(&mut failover).await.unwrap(), "eu");
    // One connection is lost, between two checks.
    eu.set(Fault::Dropped);
    call(&mut failover).await.unwrap_err();
    eu.set(Fault::Slow(5 * TICK));
    let began = Instant::now();
    while call(&mut failover).await.is_err() {
        assert!(began.elapsed() < 5 * SECOND, "not soon: {:?}", failover.status());
        sleep(10 * TICK).await;
    }
}

/// One that came back degraded is left for one that came back well.
#[tokio::test(start_paused = true)]
async fn a_degraded_one_serves_no_longer_than_until_another_is_well() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let mut builder = Failover::builder("f").repeat(Repeat::Always);
    for (tier, site) in [&eu, &us].into_iter().enumerate() {
        let (health, monitor) = site.health(health::Policy::new());
        tokio::spawn(monitor);
        builder = builder.backend(site.backend().tier(tier as u32).health(health));
    }
    let mut failover = keep(builder.build());
    sleep(10 * SECOND).await;
    eu.set(Fault::Refused);
    us.set(Fault::Refused);
    sleep(10 * SECOND).await;
    call(&mut failover).await.unwrap_err();
    eu.set(Fault::Slow(5 * TICK));
    sleep(5 * SECOND).await;
    assert_eq!(call(&mut failover).await.unwrap(), "eu", "it is degraded, and alone");
    us.set(Fault::Nothing);
    sleep(600 * SECOND).await;
    let before = eu.calls();
    for _ in 0..100 {
        assert_eq!(call(&mut failover).await.unwrap(), "us");
        sleep(SECOND).await;
    }
    assert_eq!(eu.calls(), before, "a degraded one does not come back while another serves");
}
