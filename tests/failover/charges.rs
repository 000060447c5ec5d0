//! Promise 2: failures are charged to the backend that ran the call.

use std::time::Duration;

use tokio::time::sleep;
use tower::ServiceExt;
use tower_failover::{
    Backoff, Circuit,
    circuit_breaker::{self, State},
    failover::{BackendState, Failover, Policy, Recovery, Repeat},
};

use crate::support::{Fault, Log, Site, call, keep, line};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn failover_promise_2_a_late_failure_is_charged_to_the_backend_that_ran_the_call() {
    let (eu, us, log) = (Site::new("eu"), Site::new("us"), Log::default());
    let circuits = [Circuit::new("eu"), Circuit::new("us")];
    let mut failover = keep(
        Failover::builder("sessions")
            .backend(eu.backend().circuit(circuits[0].clone()))
            .backend(us.backend().tier(1).circuit(circuits[1].clone()))
            .repeat(Repeat::Never)
            .observe(log.observer())
            .build(),
    );
    eu.set(Fault::Hangs);
    let late: Vec<_> = (0..3).map(|_| failover.clone().oneshot(1)).collect();
    let late = tokio::spawn(futures::future::join_all(late));
    sleep(SECOND / 2).await;
    eu.set(Fault::Refused);
    call(&mut failover).await.unwrap_err();
    assert_eq!(call(&mut failover).await.unwrap(), "us");
    let late = late.await.unwrap();
    assert_eq!(late.iter().filter(|result| result.is_err()).count(), 3);
    for _ in 0..10 {
        assert_eq!(call(&mut failover).await.unwrap(), "us");
    }
    assert_eq!(log.lines(), ["none→eu start", "eu→us connection"]);
    let counts = circuits.map(|circuit| circuit.snapshot().consecutive_failures);
    assert_eq!(counts, [4, 0]);
    let status = failover.status();
    assert!(matches!(status.backends[0].state, BackendState::Out { .. }));
    assert_eq!(status.backends[1].last_error, None);
}

#[tokio::test(start_paused = true)]
async fn failover_promise_2_a_failure_of_an_earlier_time_does_not_make_it_leave_again() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let recovery =
        Recovery::new().threshold(1).delay(Backoff::fixed(SECOND / 10)).check_every(SECOND / 10);
    let mut failover = keep(
        Failover::builder("sessions")
            .backend(eu.backend())
            .backend(us.backend().tier(1))
            .repeat(Repeat::Always)
            .policy(Policy::new().attempt_timeout(10 * SECOND).recovery(recovery))
            .build(),
    );
    eu.set(Fault::Hangs);
    let late = tokio::spawn(failover.clone().oneshot(1));
    sleep(SECOND).await;
    eu.set(Fault::Refused);
    assert_eq!(call(&mut failover).await.unwrap(), "us");
    eu.set(Fault::Nothing);
    for _ in 0..30 {
        call(&mut failover).await.unwrap();
        sleep(SECOND / 10).await;
    }
    assert_eq!(call(&mut failover).await.unwrap(), "eu");
    assert_eq!(late.await.unwrap().unwrap(), "us", "after its time, on the next backend");
    let lines: Vec<_> = failover.control().history().iter().map(line).collect();
    assert_eq!(lines, ["none→eu start", "eu→us connection", "us→eu recovery"]);
}

#[tokio::test(start_paused = true)]
async fn failover_promise_2_every_attempt_settles_the_circuit_of_its_own_backend() {
    let sites = ["a", "b", "c"].map(Site::new);
    let policy = circuit_breaker::Policy::consecutive(1);
    let circuits = ["a", "b", "c"].map(|name| Circuit::builder(name).policy(policy).build());
    let mut builder = Failover::builder("sessions").repeat(Repeat::Always);
    for (site, circuit) in sites.iter().zip(&circuits) {
        builder = builder.backend(site.backend().circuit(circuit.clone()));
    }
    let mut failover = keep(builder.build());
    sites[0].set(Fault::Dropped);
    sites[1].set(Fault::Hangs);
    assert_eq!(call(&mut failover).await.unwrap(), "c");
    let states = circuits.each_ref().map(Circuit::state);
    assert_eq!(states, [State::Open, State::Open, State::Closed]);
    let reasons: Vec<_> =
        failover.control().history().iter().map(|it| it.reason().to_owned()).collect();
    assert_eq!(reasons[1], "connection reset", "what went wrong, not what came of it");
}

#[tokio::test(start_paused = true)]
async fn several_failures_in_a_row_make_it_leave_if_it_is_told_so() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let mut failover = keep(
        Failover::builder("sessions")
            .backend(eu.backend())
            .backend(us.backend().tier(1))
            .repeat(Repeat::Always)
            .policy(Policy::new().leave_after(3))
            .build(),
    );
    for round in 0..3 {
        eu.set(Fault::Refused);
        for _ in 0..2 {
            assert_eq!(call(&mut failover).await.unwrap(), "us", "the call moves at once");
        }
        assert_eq!(failover.status().active.unwrap().as_str(), "eu", "round {round}");
        eu.set(Fault::Nothing);
        assert_eq!(call(&mut failover).await.unwrap(), "eu", "which begins the row anew");
    }
    eu.set(Fault::Refused);
    for _ in 0..3 {
        assert_eq!(call(&mut failover).await.unwrap(), "us");
    }
    assert_eq!(failover.status().active.unwrap().as_str(), "us");
}
