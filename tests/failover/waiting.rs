//! Calls that wait until a backend is ready.

use std::time::Duration;

use tokio::time::advance;
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{Service, ServiceExt};
use tower_failover::failover::{Failover, Policy, Repeat};

use crate::support::{Fault, Site, SiteService};

fn pair() -> (Site, Site, Failover<SiteService>) {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let failover = Failover::builder("sessions")
        .backend(eu.backend())
        .backend(us.backend().tier(1))
        .policy(Policy::new().attempt_timeout(Duration::from_secs(1)))
        .repeat(Repeat::Never)
        .build()
        .0;
    (eu, us, failover)
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_is_ready_only_when_the_time_is_up_is_not_called() {
    let (eu, us, mut failover) = pair();
    eu.set(Fault::NeverReady);
    let mut call = task::spawn(failover.ready().await.unwrap().call(1));
    assert_pending!(call.poll());
    advance(Duration::from_secs(1)).await;
    assert!(call.is_woken());
    eu.set(Fault::Nothing);
    assert_eq!(assert_ready_ok!(call.poll()), "us");
    assert_eq!((eu.calls(), us.calls()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_a_backend_that_others_leave_goes_elsewhere() {
    let (eu, us, mut failover) = pair();
    eu.set(Fault::NeverReady);
    let mut waits = task::spawn(failover.ready().await.unwrap().call(1));
    assert_pending!(waits.poll());
    eu.set(Fault::Refused);
    let mut other = failover.clone();
    assert_eq!(
        other.ready().await.unwrap().call(2).await.unwrap_err().to_string(),
        "connection refused"
    );
    eu.set(Fault::Nothing);
    assert_eq!(assert_ready_ok!(waits.poll()), "us");
    assert_eq!((eu.calls(), us.calls()), (1, 1));
}
