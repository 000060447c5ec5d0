//! Where a call goes, and what its caller gets.

use std::time::Duration;

use tokio::time::Instant;
use tower::{Service, ServiceExt};
use tower_failover::{
    failover::{Elapsed, Failover, Mode, NoBackend, Policy, Repeat},
    health::{Grade, Health},
};

use crate::support::{Fault, Log, Site, SiteService, call};

fn pair(repeat: Repeat, log: &Log) -> (Site, Site, Failover<SiteService>) {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let failover = Failover::builder("sessions")
        .backend(eu.backend())
        .backend(us.backend().tier(1))
        .repeat(repeat)
        .observe(log.observer())
        .build()
        .0;
    (eu, us, failover)
}

#[tokio::test(start_paused = true)]
async fn calls_go_to_the_best_tier() {
    let log = Log::default();
    let (eu, us, mut failover) = pair(Repeat::Never, &log);
    for _ in 0..100 {
        assert_eq!(call(&mut failover).await.unwrap(), "eu");
    }
    assert_eq!((eu.calls(), us.calls()), (100, 0));
    assert_eq!(log.lines(), ["none→eu start"]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_connection_is_routed_around_within_the_same_call() {
    let log = Log::default();
    let (eu, us, mut failover) = pair(Repeat::IfNotApplied, &log);
    eu.set(Fault::Refused);
    assert_eq!(call(&mut failover).await.unwrap(), "us");
    assert_eq!(call(&mut failover).await.unwrap(), "us");
    assert_eq!((eu.calls(), us.calls()), (1, 2));
    assert_eq!(log.lines(), ["none→eu start", "eu→us connection"]);
    let history = failover.control().history();
    assert_eq!(history[1].success(), Some(true));
    assert_eq!(history[1].served_after(), Some(Duration::ZERO));
    assert_eq!(history[1].reason(), "connection refused");
}

#[tokio::test(start_paused = true)]
async fn a_hang_is_routed_around_within_one_attempt_timeout() {
    let log = Log::default();
    let (eu, _us, mut failover) = pair(Repeat::Always, &log);
    eu.set(Fault::Hangs);
    let began = Instant::now();
    assert_eq!(call(&mut failover).await.unwrap(), "us");
    let took = began.elapsed();
    assert!(took <= Policy::new().budget() / 3, "{took:?}");
    assert_eq!(log.lines(), ["none→eu start", "eu→us timeout"]);
    assert!(log.switches()[1].switched_after() >= Duration::from_millis(990));
    assert_eq!(eu.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_ready_is_routed_around_whatever_the_request() {
    for fault in [Fault::Unready, Fault::NeverReady] {
        for repeat in [Repeat::Never, Repeat::IfNotApplied, Repeat::Always] {
            let log = Log::default();
            let (eu, us, mut failover) = pair(repeat, &log);
            eu.set(fault);
            assert_eq!(call(&mut failover).await.unwrap(), "us", "{fault:?} {repeat:?}");
            assert_eq!((eu.calls(), us.calls()), (0, 1));
            assert_eq!(log.lines().len(), 2);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_instance_that_was_polled_is_the_one_that_waits() {
    let log = Log::default();
    let (eu, us, mut failover) = pair(Repeat::Never, &log);
    eu.set(Fault::NeverReady);
    let answer = failover.ready().await.unwrap().call(1);
    eu.set(Fault::Nothing);
    assert_eq!(answer.await.unwrap(), "eu");
    assert_eq!((eu.calls(), us.calls()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn the_last_attempt_has_the_last_word() {
    let (a, b, c) = (Site::new("a"), Site::new("b"), Site::new("c"));
    let (mut failover, _upkeep) = Failover::builder("sessions")
        .backend(a.backend())
        .backend(b.backend())
        .backend(c.backend())
        .policy(Policy::new().attempts(2).attempt_timeout(Duration::from_millis(100)))
        .repeat(Repeat::Always)
        .build();
    a.set(Fault::Refused);
    b.set(Fault::Hangs);
    let began = Instant::now();
    let error = call(&mut failover).await.unwrap_err();
    assert_eq!(error.downcast_ref::<Elapsed>().unwrap().backend().as_str(), "b");
    assert!(began.elapsed() <= failover.control().policy().budget());
    assert_eq!((a.calls(), b.calls(), c.calls()), (1, 1, 0));
    assert_eq!(call(&mut failover).await.unwrap(), "c");
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_its_health_calls_unhealthy_is_not_called() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let health = Health::new("eu");
    let (mut failover, _upkeep) = Failover::builder("sessions")
        .backend(eu.backend().health(health.clone()))
        .backend(us.backend().tier(1))
        .repeat(Repeat::Never)
        .build();
    assert_eq!(call(&mut failover).await.unwrap(), "eu");
    failover.ready().await.unwrap();
    health.down("push");
    assert_eq!(health.grade(), Grade::Unhealthy);
    assert_eq!(failover.call(1).await.unwrap(), "us");
    assert_eq!(call(&mut failover).await.unwrap(), "us");
    assert_eq!((eu.calls(), us.calls()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn in_the_modes_by_circuit_and_by_health_a_failed_call_is_handed_out() {
    for mode in [Mode::ByCircuit, Mode::ByHealth] {
        let (eu, us) = (Site::new("eu"), Site::new("us"));
        let health = Health::new("eu");
        let circuit = tower_failover::Circuit::new("eu");
        let (mut failover, _upkeep) = Failover::builder("sessions")
            .backend(eu.backend().health(health.clone()).circuit(circuit.clone()))
            .backend(
                us.backend()
                    .tier(1)
                    .health(Health::new("us"))
                    .circuit(tower_failover::Circuit::new("us")),
            )
            .repeat(Repeat::Always)
            .policy(Policy::new().mode(mode))
            .build();
        eu.set(Fault::Dropped);
        for _ in 0..3 {
            let error = call(&mut failover).await.unwrap_err();
            assert!(error.downcast_ref::<std::io::Error>().is_some(), "{error:?}");
        }
        assert_eq!(us.calls(), 0);
        match mode {
            Mode::ByCircuit => {
                call(&mut failover).await.unwrap_err();
                call(&mut failover).await.unwrap_err();
            }
            Mode::ByHealth => health.down("push"),
            Mode::AtOnce => unreachable!(),
        }
        assert_eq!(call(&mut failover).await.unwrap(), "us", "{mode:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_left() {
    let (mut failover, _upkeep) = Failover::<SiteService>::builder("sessions").build();
    let error = call(&mut failover).await.unwrap_err();
    let nobody = error.downcast_ref::<NoBackend>().unwrap();
    assert_eq!((nobody.reasons().count(), nobody.retry_after()), (0, None));
    failover.add(Site::new("eu").backend()).unwrap();
    assert_eq!(call(&mut failover).await.unwrap(), "eu");
}
