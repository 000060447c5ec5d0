//! A backend whose circuit is half-open.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tower_failover::{
    Circuit, circuit_breaker,
    failover::{Failover, Policy, Repeat},
    health,
};

use crate::support::{Fault, Log, Site, call, keep};

const SECOND: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(10);

/// A backend that is back with its circuit half-open is not left because its one probe is under way.
#[tokio::test(start_paused = true)]
async fn a_probe_under_way_is_no_reason_to_leave() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let (health, monitor) = eu.health(health::Policy::new());
    tokio::spawn(monitor);
    let circuit = Circuit::builder("eu").policy(circuit_breaker::Policy::consecutive(3)).build();
    let log = Log::default();
    eu.set(Fault::Slow(5 * TICK));
    let failover = keep(
        Failover::builder("f")
            .backend(eu.backend().health(health).circuit(circuit.clone()))
            .backend(us.backend().tier(1))
            .repeat(Repeat::Always)
            .policy(Policy::new().leave_after(3))
            .observe(log.observer())
            .build(),
    );
    sleep(2 * SECOND).await;
    eu.set(Fault::Refused);
    for _ in 0..4 {
        call(&mut failover.clone()).await.unwrap();
    }
    sleep(5 * SECOND).await;
    eu.set(Fault::Slow(5 * TICK));
    let began = Instant::now();
    // Ten callers, a call each 100 ms.
    let callers: Vec<_> = (0..10)
        .map(|_| {
            let mut failover = failover.clone();
            tokio::spawn(async move {
                while began.elapsed() < 120 * SECOND {
                    call(&mut failover).await.unwrap();
                    sleep(10 * TICK).await;
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    let active = failover.status().active.unwrap();
    assert_eq!((log.lines().len(), active.as_str()), (3, "eu"), "{:#?}", log.lines());
}
