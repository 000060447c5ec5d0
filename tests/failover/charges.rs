//! Promise 2: failures are charged to the backend that ran the call.

use std::time::Duration;

use tokio::time::sleep;
use tower::ServiceExt;
use tower_failover::{
    Backoff, Circuit,
    circuit_breaker::{self, State},
    failover::{BackendState, Failover, Mode, Policy, Recovery, Repeat},
    health::{self, Health},
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

#[tokio::test(start_paused = true)]
async fn failover_promise_2_failures_of_before_do_not_count_after_the_return() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let (health, monitor) = eu.health(health::Policy::new());
    tokio::spawn(monitor);
    let log = Log::default();
    let mut failover = keep(
        Failover::builder("f")
            .backend(eu.backend().health(health))
            .backend(us.backend().tier(1))
            .repeat(Repeat::Always)
            .policy(Policy::new().leave_after(2))
            .observe(log.observer())
            .build(),
    );
    sleep(2 * SECOND).await;
    // Three calls hang: two make it leave, the third is late.
    eu.set(Fault::Hangs);
    let mut late = vec![];
    for n in 0..3 {
        let mut failover = failover.clone();
        late.push(tokio::spawn(async move {
            sleep(n * (SECOND / 100)).await;
            call(&mut failover).await
        }));
    }
    for call in late {
        call.await.unwrap().unwrap();
    }
    eu.set(Fault::Nothing);
    sleep(120 * SECOND).await;
    assert_eq!(failover.status().active.unwrap().as_str(), "eu");
    let before = log.lines().len();
    eu.set(Fault::Refused);
    call(&mut failover).await.unwrap();
    assert_eq!(log.lines().len(), before, "left after one failure: {:#?}", log.lines());
}

#[tokio::test(start_paused = true)]
async fn failover_promise_2_a_backend_that_fails_fast_does_not_score_best() {
    let (eu, us, ap) = (Site::new("eu"), Site::new("us"), Site::new("ap"));
    let sites = [&eu, &us, &ap];
    let healths: Vec<_> = (0..3).map(|n| Health::new(["eu", "us", "ap"][n])).collect();
    let mut builder = Failover::builder("f").repeat(Repeat::Always);
    for (site, health) in sites.into_iter().zip(&healths) {
        health.succeeded(SECOND / 100);
        builder = builder.backend(site.backend().health(health.clone()));
    }
    let mut failover = keep(builder.policy(Policy::new().mode(Mode::ByHealth)).build());
    let control = failover.control();
    // Each is used for a while: us fails at once, ap answers after 20 ms.
    us.set(Fault::Refused);
    ap.set(Fault::Slow(SECOND / 50));
    for name in ["us", "ap", "eu"] {
        control.fail_over(name, "to see how it is", None).unwrap();
        for _ in 0..200 {
            let _ = call(&mut failover).await;
            sleep(SECOND / 100).await;
        }
    }
    control.recover("seen");
    healths[0].down("gone");
    let _ = call(&mut failover).await;
    let status = failover.status();
    assert_eq!(status.active.clone().unwrap().as_str(), "ap", "{status:#?}");
}
