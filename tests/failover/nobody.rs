//! Promise 4: when all are down the caller gets `NoBackend` with each backend's reason; the pool
//! keeps looking.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tower::{Service, ServiceExt, service_fn};
use tower_failover::{
    Backoff, BoxError, Circuit, circuit_breaker,
    failover::{Backend, Failover, NoBackend, Policy, Recovery, Repeat, may_have_run},
    health::{self, Health},
};

use crate::support::{Fault, Site, call, keep, line};

const SECOND: Duration = Duration::from_secs(1);

fn reasons(error: &BoxError) -> Vec<(String, String)> {
    let nobody = error.downcast_ref::<NoBackend>().expect("nobody is left");
    nobody.reasons().map(|(backend, why)| (backend.to_owned(), why.to_owned())).collect()
}

#[tokio::test(start_paused = true)]
async fn failover_promise_4_the_caller_is_told_why_of_each_backend() {
    let sites = ["a", "b", "c", "d"].map(Site::new);
    // A health that nobody monitors would be found out by a call.
    let (health, _monitor) = sites[1].health(health::Policy::new());
    let circuit = Circuit::new("c");
    let policy = Policy::new().attempts(4).attempt_timeout(SECOND);
    let mut failover = keep(
        Failover::builder("sessions")
            .backend(sites[0].backend())
            .backend(sites[1].backend().health(health.clone()))
            .backend(sites[2].backend().circuit(circuit.clone()))
            .backend(sites[3].backend())
            .repeat(Repeat::Always)
            .policy(policy)
            .build(),
    );
    sites[0].set(Fault::Refused);
    health.down("the disk is full");
    circuit.force_open();
    sites[3].set(Fault::Hangs);
    let error = call(&mut failover).await.unwrap_err();
    let why = reasons(&error);
    let names: Vec<_> = why.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c", "d"]);
    assert_eq!(why[0].1, "connection refused");
    assert!(why[1].1.contains("the disk is full"), "{why:?}");
    assert!(why[3].1.contains("within 1s"), "{why:?}");
    assert_eq!((sites[0].calls(), sites[1].calls(), sites[3].calls()), (1, 0, 1));
    let nobody = error.downcast_ref::<NoBackend>().unwrap();
    assert!(nobody.may_have_run() && may_have_run(&*error), "d may have run it");
    assert_eq!(nobody.failover().as_str(), "sessions");
    let text = error.to_string();
    assert!(text.starts_with("no backend of sessions is left: a (connection refused), b ("));
    sites[3].set(Fault::Refused);
    let error = call(&mut failover).await.unwrap_err();
    assert!(!may_have_run(&*error), "nobody ran it");
    assert_eq!(sites.each_ref().map(Site::calls), [2, 0, 0, 2]);
}

#[tokio::test(start_paused = true)]
async fn failover_promise_4_a_circuit_says_when_to_come_back() {
    let site = Site::new("eu");
    let policy = circuit_breaker::Policy::consecutive(1).open_for(Backoff::fixed(7 * SECOND));
    let circuit = Circuit::builder("eu").policy(policy).build();
    let mut failover = keep(
        Failover::builder("sessions").backend(site.backend().circuit(circuit.clone())).build(),
    );
    site.set(Fault::Refused);
    let error = call(&mut failover).await.unwrap_err();
    let wait = error.downcast_ref::<NoBackend>().unwrap().retry_after().unwrap();
    assert_eq!(wait, 7 * SECOND);
    assert!(reasons(&error)[0].1.contains("circuit eu is open"), "{error}");
    site.set(Fault::Nothing);
    sleep(wait).await;
    assert_eq!(call(&mut failover).await.unwrap(), "eu");
}

#[tokio::test(start_paused = true)]
async fn failover_promise_4_the_first_that_is_back_serves_at_once_with_a_monitor() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let recovery = Recovery::new().delay(Backoff::fixed(1_000 * SECOND)).threshold(100);
    let mut builder = Failover::builder("sessions")
        .policy(Policy::new().recovery(recovery))
        .repeat(Repeat::Always);
    for site in [&eu, &us] {
        let (health, monitor) = site.health(health::Policy::new());
        tokio::spawn(monitor);
        builder = builder.backend(site.backend().health(health));
    }
    let mut failover = keep(builder.build());
    sleep(5 * SECOND).await;
    for site in [&eu, &us] {
        site.set(Fault::Refused);
    }
    call(&mut failover).await.unwrap_err();
    sleep(10 * SECOND).await;
    let (eu_calls, us_calls) = (eu.calls(), us.calls());
    for _ in 0..10 {
        assert_eq!(reasons(&call(&mut failover).await.unwrap_err()).len(), 2);
    }
    assert_eq!((eu.calls(), us.calls()), (eu_calls, us_calls), "no call goes to the dead");
    us.set(Fault::Nothing);
    let healed = Instant::now();
    while call(&mut failover).await.is_err() {
        sleep(SECOND / 100).await;
    }
    let took = healed.elapsed();
    assert!(took <= health::Policy::new().recovers_within() + SECOND / 100, "{took:?}");
    assert_eq!(call(&mut failover).await.unwrap(), "us");
    let lines: Vec<_> = failover.control().history().iter().map(line).collect();
    assert_eq!(lines.last().unwrap(), "none→us recovery");
}

#[tokio::test(start_paused = true)]
async fn failover_promise_4_the_first_that_is_back_serves_at_once_without_monitor_or_upkeep() {
    for name in ["eu", "us"] {
        let (eu, us) = (Site::new("eu"), Site::new("us"));
        let (mut failover, upkeep) = Failover::builder("sessions")
            .backend(eu.backend())
            .backend(us.backend())
            .repeat(Repeat::Never)
            .build();
        drop(upkeep);
        for site in [&eu, &us] {
            site.set(Fault::Refused);
        }
        let (mut calls, began) = (0, Instant::now());
        while began.elapsed() < 20 * SECOND {
            call(&mut failover).await.unwrap_err();
            calls += 1;
            sleep(SECOND / 100).await;
        }
        let tried = eu.calls();
        assert!(
            (10..=25).contains(&tried),
            "the one that was left is tried once a second: {tried}"
        );
        assert_eq!(us.calls(), calls - tried, "the last one is kept: it is better than nobody");
        if name == "eu" { &eu } else { &us }.set(Fault::Nothing);
        let healed = Instant::now();
        while call(&mut failover).await.is_err() {
            sleep(SECOND / 100).await;
        }
        assert!(healed.elapsed() <= Recovery::new().longest_pause_between_checks());
        for _ in 0..10 {
            assert_eq!(call(&mut failover).await.unwrap(), name);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn failover_promise_4_some_errors_of_the_last_backend_are_not_made_an_outage() {
    let eu = Site::new("eu");
    let mut failover =
        keep(Failover::builder("f").backend(eu.backend()).repeat(Repeat::Always).build());
    let (mut failed, mut faults) = (0, 0);
    for _ in 0..30_000 {
        let fails = fastrand::u32(..10) == 0;
        faults += u32::from(fails);
        eu.set(if fails { Fault::Dropped } else { Fault::Nothing });
        failed += u32::from(call(&mut failover).await.is_err());
        sleep(Duration::from_millis(1)).await;
    }
    assert!(faults > 2_000);
    assert_eq!((failed, eu.calls()), (faults, 30_000), "failed, sent");
}

#[tokio::test(start_paused = true)]
async fn failover_promise_4_one_error_of_the_only_backend_fails_one_call() {
    let eu = Site::new("eu");
    let mut failover =
        keep(Failover::builder("f").backend(eu.backend()).repeat(Repeat::Always).build());
    eu.set(Fault::Dropped);
    assert!(call(&mut failover).await.is_err());
    eu.set(Fault::Slow(SECOND / 20));
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let mut failover = failover.clone();
            tokio::spawn(async move { call(&mut failover).await })
        })
        .collect();
    let mut failed = 0;
    for call in calls {
        failed += usize::from(call.await.unwrap().is_err());
    }
    assert_eq!((failed, eu.calls()), (0, 101), "failed, calls");
}

#[tokio::test(start_paused = true)]
async fn failover_promise_4_some_errors_of_all_backends_are_not_made_an_outage() {
    let sites = [Site::new("eu"), Site::new("us")];
    let mut failover = keep(
        Failover::builder("sessions")
            .backend(sites[0].backend())
            .backend(sites[1].backend().tier(1))
            .repeat(Repeat::Never)
            .build(),
    );
    let (mut failed, mut faults) = (0, 0);
    for _ in 0..30_000 {
        let fails = fastrand::u32(..10) == 0;
        faults += u32::from(fails);
        let fault = if fails { Fault::Dropped } else { Fault::Nothing };
        sites.iter().for_each(|site| site.set(fault));
        failed += u32::from(call(&mut failover).await.is_err());
        sleep(SECOND / 1_000).await;
    }
    assert!(faults > 2_000);
    assert_eq!(failed, faults);
    let history = failover.control().history();
    let lines: Vec<_> = history.iter().map(line).collect();
    assert!(lines.len() <= 12, "one of the two is back every 10 s at most: {lines:?}");
    assert!(lines.iter().all(|line| !line.ends_with("none")), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn failover_promise_4_any_call_tries_whom_nobody_checks_when_nobody_serves() {
    let (eu, health) = (Site::new("eu"), Health::new("eu"));
    let backend = eu.backend().health(health.clone());
    let mut failover =
        keep(Failover::builder("sessions").backend(backend).repeat(Repeat::Never).build());
    health.down("gone");
    sleep(SECOND / 10).await;
    assert_eq!(failover.status().active, None);
    eu.set(Fault::Refused);
    call(&mut failover).await.unwrap_err();
    assert!(call(&mut failover).await.unwrap_err().is::<NoBackend>(), "one in an interval");
    assert_eq!(eu.calls(), 1);
    eu.set(Fault::Nothing);
    let healed = Instant::now();
    while call(&mut failover).await.is_err() {
        sleep(SECOND / 100).await;
    }
    assert!(healed.elapsed() <= Recovery::new().longest_pause_between_checks());
}

trait LongestPause {
    fn longest_pause_between_checks(&self) -> Duration;
}

impl LongestPause for Recovery {
    /// The default of `check_every`, and a call.
    fn longest_pause_between_checks(&self) -> Duration {
        SECOND + SECOND / 50
    }
}

#[tokio::test(start_paused = true)]
async fn the_reasons_hold_no_password_and_are_short() {
    let rude = |_: u64| async {
        let mut error = String::from("cannot reach redis://user:hunter2@eu:6379/0: ");
        error.push_str(&"no ".repeat(10_000));
        Err::<(), BoxError>(error.into())
    };
    let mut failover = keep(
        Failover::builder("sessions")
            .backend(Backend::new("eu", service_fn(rude)))
            .backend(Backend::new("us", service_fn(rude)))
            .build(),
    );
    let told = failover.ready().await.unwrap().call(1).await.unwrap_err();
    assert!(told.to_string().contains("may have run"), "{told}");
    let error = failover.ready().await.unwrap().call(1).await.unwrap_err();
    drop(error);
    let history = failover.control().history();
    let status = failover.status();
    let all = [
        format!("{history:?}"),
        format!("{status:?}"),
        format!("{failover:?}"),
        history.last().unwrap().to_string(),
    ];
    for text in &all {
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.len() < 4_000, "{}", text.len());
    }
    let last = status.backends[0].last_error.as_ref().unwrap().as_str();
    assert!(last.starts_with("cannot reach redis://eu:6379/0: no no") && last.len() <= 256);
    assert_eq!(history.last().unwrap().reason(), last);
}

#[tokio::test(start_paused = true)]
async fn failover_promise_4_no_password_is_told_whatever_is_in_it() {
    let mut told = 0;
    for password in
        ["secret", "it's-secret", "my\"secret", "a`secret", "<secret>", "a@secret", "a/secret"]
    {
        let fails = move |_: u64| async move {
            let text = format!("cannot reach \"redis://us\"er:{password}@eu:6379\"");
            Err::<(), BoxError>(text.into())
        };
        let (mut failover, _upkeep) = Failover::builder("sessions")
            .backend(Backend::new("eu", service_fn(fails)))
            .repeat(Repeat::Always)
            .build();
        let error = failover.ready().await.unwrap().call(1).await.unwrap_err();
        let history = failover.control().history();
        for text in [
            error.to_string(),
            format!("{error:?}"),
            format!("{:?}", failover.status()),
            format!("{history:?}"),
        ] {
            assert!(!text.contains("secret"), "{text}");
            told += usize::from(text.contains("redis://eu:6379"));
        }
    }
    assert!(told >= 7 * 3, "{told}");
}
