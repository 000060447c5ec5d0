//! What the upkeep costs while there is little to do.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::sleep;
use tower_failover::{
    failover::{Failover, Repeat, Upkeep},
    health,
};

use crate::support::{Fault, Site, call};

const SECOND: Duration = Duration::from_secs(1);

/// Counts how often it is polled.
struct Counted(Upkeep, Arc<AtomicUsize>);

impl Future for Counted {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.0).poll(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn an_upkeep_is_polled_about_once_a_second_and_not_by_calls() {
    let (eu, us, polls) = (Site::new("eu"), Site::new("us"), Arc::new(AtomicUsize::new(0)));
    let (health, monitor) = eu.health(health::Policy::new());
    tokio::spawn(monitor);
    let (mut failover, upkeep) = Failover::builder("sessions")
        .backend(eu.backend().health(health))
        .backend(us.backend().tier(1))
        .repeat(Repeat::Always)
        .build();
    tokio::spawn(Counted(upkeep, polls.clone()));
    sleep(2 * SECOND).await;
    let polled = || polls.swap(0, Ordering::Relaxed);
    polled();
    sleep(100 * SECOND).await;
    let idle = polled();
    assert!((90..=110).contains(&idle), "{idle}");
    for _ in 0..10_000 {
        call(&mut failover).await.unwrap();
    }
    assert_eq!(polled(), 0);
    // Two changes of health, a check a second, and the end of each.
    eu.set(Fault::Refused);
    for _ in 0..1_000 {
        assert_eq!(call(&mut failover).await.unwrap(), "us");
        sleep(SECOND / 10).await;
    }
    let busy = polled();
    assert!((100..=600).contains(&busy), "{busy}");
    assert_eq!(eu.calls(), 10_001);
}
