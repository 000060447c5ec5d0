//! Backends come and go while calls run.

use std::time::Duration;

use tokio::time::sleep;
use tower::ServiceExt;
use tower_failover::{
    Circuit,
    failover::{BackendState, BuildError, Failover, Mode, Policy, Repeat},
    health,
};

use crate::support::{Fault, Site, SiteService, call, keep, line};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_backend_that_is_added_is_checked_before_it_is_used() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let mut failover = keep(
        Failover::builder("sessions").backend(us.backend().tier(1)).repeat(Repeat::Always).build(),
    );
    assert_eq!(call(&mut failover).await.unwrap(), "us");
    eu.set(Fault::Refused);
    let (health, monitor) = eu.health(health::Policy::new());
    tokio::spawn(monitor);
    failover.add(eu.backend().health(health)).unwrap();
    for _ in 0..100 {
        assert_eq!(call(&mut failover).await.unwrap(), "us");
        sleep(SECOND / 10).await;
    }
    assert_eq!(eu.calls(), 0);
    eu.set(Fault::Nothing);
    sleep(health::Policy::new().recovers_within() + 2 * SECOND).await;
    assert_eq!(call(&mut failover).await.unwrap(), "eu");
    let history = failover.control().history();
    assert_eq!(line(history.last().unwrap()), "us→eu membership");
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_is_removed_finishes_its_calls_and_gets_no_more() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let mut failover = keep(
        Failover::builder("sessions")
            .backend(eu.backend())
            .backend(us.backend().tier(1))
            .repeat(Repeat::Always)
            .build(),
    );
    eu.set(Fault::Slow(SECOND / 2));
    let calls: Vec<_> = (0..10).map(|_| failover.clone().oneshot(1)).collect();
    let calls = tokio::spawn(futures::future::join_all(calls));
    sleep(SECOND / 4).await;
    assert!(failover.remove("eu"));
    assert!(!failover.remove("eu"), "there is none any more");
    assert_eq!(call(&mut failover).await.unwrap(), "us");
    let answers = calls.await.unwrap();
    assert!(answers.iter().all(|answer| *answer.as_ref().unwrap() == "eu"), "{answers:?}");
    assert_eq!((eu.calls(), eu.instances()), (10, 0));
    assert_eq!(line(failover.control().history().last().unwrap()), "eu→us membership");
    failover.add(eu.backend()).unwrap();
    assert_eq!(failover.status().backends.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn backends_come_and_go_while_calls_run() {
    let keepsake = Site::new("keepsake");
    let failover = keep(
        Failover::builder("sessions")
            .backend(keepsake.backend().tier(9))
            .repeat(Repeat::Always)
            .build(),
    );
    let names = ["a", "b", "c", "d"];
    let sites = names.map(Site::new);
    let callers: Vec<_> = (0..8)
        .map(|n| {
            let mut failover = failover.clone();
            tokio::spawn(async move {
                let mut answers = 0;
                for _ in 0..1_000 {
                    call(&mut failover).await.unwrap();
                    answers += 1;
                    sleep(Duration::from_millis(1 + n)).await;
                }
                answers
            })
        })
        .collect();
    let (mut added, mut removed) = (0, 0);
    for round in 0..500 {
        let n = round % 4;
        match failover.add(sites[n].backend()) {
            Ok(()) => added += 1,
            Err(_) => removed += usize::from(failover.remove(names[n])),
        }
        if round % 7 == 0 {
            sites[n].set(Fault::Refused);
        }
        if round % 11 == 0 {
            sites[n].set(Fault::Nothing);
        }
        sleep(Duration::from_millis(3)).await;
    }
    for caller in callers {
        assert_eq!(caller.await.unwrap(), 1_000);
    }
    assert!(added > 200 && removed > 200, "{added} {removed}");
    let used: usize = sites.iter().map(Site::calls).sum();
    assert!(used > 100 && keepsake.calls() > 100, "{used} {}", keepsake.calls());
    for name in names {
        failover.remove(name);
    }
    drop(failover);
    sleep(SECOND).await;
    assert!(sites.iter().all(|site| site.instances() == 0 && site.in_flight() == 0));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_not_added() {
    let eu = Site::new("eu");
    let builder = || Failover::<SiteService>::builder("sessions");
    let twice = builder().backend(eu.backend()).backend(eu.backend()).try_build().unwrap_err();
    assert_eq!(twice.to_string(), "cannot add backend eu: there is one of that name");
    let policy = Policy::new().mode(Mode::ByCircuit);
    let bare = builder().backend(eu.backend()).policy(policy).try_build().unwrap_err();
    assert_eq!(
        bare.to_string(),
        "cannot add backend eu: the mode goes by circuits, and it has none"
    );
    let policy = Policy::new().mode(Mode::ByHealth);
    let bare = builder().backend(eu.backend()).policy(policy).try_build().unwrap_err();
    assert!(bare.to_string().ends_with("the mode goes by health, and it has none"));
    for policy in [
        Policy::new().attempts(0),
        Policy::new().attempts(101),
        Policy::new().attempt_timeout(Duration::ZERO),
        Policy::new().attempt_timeout(Duration::from_micros(9_999)),
        Policy::new().leave_after(0),
    ] {
        let error = builder().policy(policy).try_build().unwrap_err();
        assert!(matches!(error, BuildError::Policy(_)), "{error:?}");
        assert!(error.to_string().starts_with("failover policy: "), "{error}");
    }
    let (failover, _upkeep) = builder().backend(eu.backend()).build();
    let error = failover.add(eu.backend()).unwrap_err();
    assert_eq!(error.backend().as_str(), "eu");
    assert_eq!(failover.status().backends.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_status_tells_all_there_is_to_know() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let mut failover = keep(
        Failover::builder("sessions")
            .backend(eu.backend().weight(3).circuit(Circuit::new("eu")))
            .backend(us.backend().tier(1))
            .repeat(Repeat::Always)
            .build(),
    );
    eu.set(Fault::Slow(SECOND / 10));
    for _ in 0..10 {
        call(&mut failover).await.unwrap();
    }
    let status = failover.status();
    assert_eq!((status.failover.as_str(), status.active.unwrap().as_str()), ("sessions", "eu"));
    let first = &status.backends[0];
    assert_eq!((first.tier, first.weight, first.state), (0, 3, BackendState::Up));
    assert_eq!(first.circuit, Some(tower_failover::circuit_breaker::State::Closed));
    assert_eq!(first.success_rate.unwrap().get(), 1.0);
    let latency = first.latency.unwrap();
    assert!(latency > SECOND * 9 / 100 && latency < SECOND * 12 / 100, "{latency:?}");
    assert_eq!((first.grade, first.last_error.clone()), (None, None));
    eu.set(Fault::Refused);
    call(&mut failover).await.unwrap();
    let status = failover.control().status();
    assert_eq!(status.active.unwrap().as_str(), "us");
    assert_eq!(status.backends[0].last_error.as_ref().unwrap().as_str(), "connection refused");
    assert!(matches!(status.backends[0].state, BackendState::Out { good_checks: 0, .. }));
}
