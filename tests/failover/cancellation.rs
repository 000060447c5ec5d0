//! Calls that are dropped at any moment leave nothing behind.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture, task::noop_waker};
use tokio::time::{advance, sleep, timeout};
use tower::{Service, ServiceExt, util::BoxCloneService};
use tower_failover::{
    Backoff, BoxError, Circuit,
    circuit_breaker::{self, State},
    failover::{Backend, Failover, Policy, Recovery, Repeat},
};

use crate::support::{Fault, Log, Site, call, keep};

const SECOND: Duration = Duration::from_secs(1);

/// Is ready after one poll and answers after three, or fails then.
fn slow(site: &Site, fails: bool) -> BoxCloneService<u64, &'static str, BoxError> {
    #[derive(Clone)]
    struct Slow<S>(S, bool, u32);
    impl<S> Service<u64> for Slow<S>
    where
        S: Service<u64, Response = &'static str, Error = BoxError, Future: Send + 'static>,
    {
        type Response = &'static str;
        type Error = BoxError;
        type Future = BoxFuture<'static, Result<&'static str, BoxError>>;

        fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            self.2 += 1;
            if self.2 % 2 == 1 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.0.poll_ready(cx)
        }

        fn call(&mut self, request: u64) -> Self::Future {
            let (answer, fails, mut polls) = (self.0.call(request), self.1, 0);
            Box::pin(async move {
                poll_fn(|cx| {
                    polls += 1;
                    cx.waker().wake_by_ref();
                    if polls > 3 { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
                let answer = answer.await;
                if fails { Err("as told".into()) } else { answer }
            })
        }
    }
    BoxCloneService::new(Slow(site.service(), fails, 0))
}

/// Every circuit is half-open, with one place: a permit that is lost would shut it for good.
fn half_open(name: &'static str) -> Circuit {
    let policy = circuit_breaker::Policy::consecutive(1)
        .open_for(Backoff::fixed(Duration::from_millis(1)))
        .probe_deadline(1_000_000 * SECOND);
    let circuit = Circuit::builder(name).policy(policy).build();
    circuit.permit().unwrap().failure();
    circuit
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_after_any_number_of_polls_leaves_nothing_behind() {
    let mut longest = 0;
    for drop_after in 0.. {
        let sites = ["a", "b", "c"].map(Site::new);
        let circuits = ["a", "b", "c"].map(half_open);
        sleep(SECOND).await;
        let mut builder = Failover::builder("sessions").repeat(Repeat::Always);
        for (n, (site, circuit)) in sites.iter().zip(&circuits).enumerate() {
            let backend = Backend::new(["a", "b", "c"][n], slow(site, n < 2)).tier(n as u32);
            builder = builder.backend(backend.circuit(circuit.clone()));
        }
        let (mut failover, upkeep) = builder.build();
        failover.ready().await.unwrap();
        let mut answer = Box::pin(failover.call(1));
        let waker = noop_waker();
        let mut cx = Context::from_waker(&waker);
        let mut polls = 0;
        let mut done = false;
        while polls < drop_after && !done {
            done = Pin::new(&mut answer).poll(&mut cx).is_ready();
            polls += 1;
        }
        drop(answer);
        longest = longest.max(polls);
        for (site, circuit) in sites.iter().zip(&circuits) {
            assert_eq!(site.in_flight(), 0, "after {polls} polls");
            sleep(SECOND).await;
            let permit = circuit.permit();
            assert!(permit.is_ok(), "after {polls} polls the place in {} is lost", circuit.name());
            permit.unwrap().ignore();
        }
        drop((failover, upkeep));
        assert!(sites.iter().all(|site| site.instances() == 0), "after {polls} polls");
        if done {
            break;
        }
    }
    assert!(longest >= 12, "three backends were gone through: {longest}");
}

#[tokio::test(start_paused = true)]
async fn trials_that_are_dropped_do_not_keep_the_backend_out() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let recovery = Recovery::new().delay(Backoff::fixed(SECOND)).threshold(2);
    let mut failover = keep(
        Failover::builder("sessions")
            .backend(eu.backend())
            .backend(us.backend().tier(1))
            .repeat(Repeat::Always)
            .policy(Policy::new().recovery(recovery))
            .build(),
    );
    eu.set(Fault::Refused);
    assert_eq!(call(&mut failover).await.unwrap(), "us");
    eu.set(Fault::Slow(SECOND / 10));
    let mut dropped = 0;
    for _ in 0..100 {
        let before = eu.calls();
        let mut answer = Box::pin(failover.ready().await.unwrap().call(1));
        if answer.as_mut().now_or_never().is_none() {
            dropped += eu.calls() - before;
        }
        drop(answer);
        advance(SECOND / 10).await;
    }
    assert!(dropped >= 5, "{dropped} trials");
    assert_eq!(eu.in_flight(), 0);
    assert_eq!(failover.status().active.unwrap().as_str(), "us", "they said nothing");
    for _ in 0..100 {
        call(&mut failover).await.unwrap();
        sleep(SECOND / 10).await;
    }
    assert_eq!(call(&mut failover).await.unwrap(), "eu");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_says_nothing_of_its_backend() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let circuit = Circuit::new("eu");
    let mut failover = keep(
        Failover::builder("sessions")
            .backend(eu.backend().circuit(circuit.clone()))
            .backend(us.backend().tier(1))
            .repeat(Repeat::Always)
            .build(),
    );
    eu.set(Fault::Hangs);
    for _ in 0..100 {
        assert!(call(&mut failover).now_or_never().is_none());
    }
    eu.set(Fault::Nothing);
    assert_eq!(call(&mut failover).await.unwrap(), "eu");
    assert_eq!((eu.calls(), eu.in_flight(), us.calls()), (101, 0, 0));
    let snapshot = circuit.snapshot();
    assert_eq!((snapshot.state, snapshot.consecutive_failures), (State::Closed, 0));
    assert_eq!(failover.control().history().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_upkeep_ends_with_the_last_handle_and_not_before() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let (mut failover, upkeep) = Failover::builder("sessions")
        .backend(eu.backend())
        .backend(us.backend())
        .repeat(Repeat::Always)
        .build();
    let upkeep = tokio::spawn(upkeep);
    let (clone, control) = (failover.clone(), failover.control());
    eu.set(Fault::Slow(SECOND / 2));
    let answer = failover.ready().await.unwrap().call(1);
    drop(failover);
    sleep(SECOND).await;
    drop(clone);
    sleep(SECOND).await;
    drop(control);
    sleep(SECOND).await;
    assert!(!upkeep.is_finished(), "a call is under way");
    assert_eq!(answer.await.unwrap(), "eu");
    tokio::time::timeout(SECOND / 100, upkeep).await.expect("it ends at once").unwrap();
    assert_eq!((eu.instances(), us.instances()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_hangs_is_left_though_its_callers_are_impatient() {
    let (eu, us, log) = (Site::new("eu"), Site::new("us"), Log::default());
    let circuit = Circuit::new("eu");
    let mut failover = keep(
        Failover::builder("sessions")
            .backend(eu.backend().circuit(circuit.clone()))
            .backend(us.backend().tier(1))
            .repeat(Repeat::Always)
            .observe(log.observer())
            .build(),
    );
    eu.set(Fault::Hangs);
    timeout(SECOND * 4 / 10, call(&mut failover)).await.unwrap_err();
    assert_eq!(log.lines().len(), 1, "that was too soon to tell");
    timeout(SECOND * 9 / 10, call(&mut failover)).await.unwrap_err();
    assert_eq!(log.lines(), ["none→eu start", "eu→us timeout"]);
    let told = log.switches()[1].clone();
    assert!(told.reason().starts_with("its caller gave up after 90"), "{}", told.reason());
    assert!(told.switched_after() >= SECOND * 9 / 10, "{told:?}");
    assert_eq!(circuit.snapshot().consecutive_failures, 1);
    let mut served = 0;
    for _ in 0..1_000 {
        served += usize::from(timeout(SECOND * 9 / 10, call(&mut failover)).await.is_ok());
    }
    assert!(served > 950, "{served}");
}

#[tokio::test(start_paused = true)]
async fn the_policy_says_how_long_a_call_that_was_given_up_has_to_have_taken() {
    for (after, given_up_after, leaves) in [
        (SECOND / 10, SECOND / 20, false),
        (SECOND / 10, SECOND / 8, true),
        (Duration::MAX, SECOND * 9 / 10, false),
    ] {
        let (eu, us) = (Site::new("eu"), Site::new("us"));
        let (mut failover, _upkeep) = Failover::builder("sessions")
            .backend(eu.backend())
            .backend(us.backend().tier(1))
            .repeat(Repeat::Always)
            .policy(Policy::new().cancelled_after(after))
            .build();
        for fault in [Fault::Hangs, Fault::NeverReady] {
            failover.control().recover("once more");
            eu.set(fault);
            timeout(given_up_after, call(&mut failover)).await.unwrap_err();
            let active = failover.status().active.unwrap();
            assert_eq!(active.as_str() == "us", leaves, "{after:?} {fault:?}");
        }
        assert_eq!((eu.calls(), us.calls()), (1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_polled_says_nothing_however_late_it_is_dropped() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let mut failover = keep(
        Failover::builder("sessions")
            .backend(eu.backend())
            .backend(us.backend().tier(1))
            .repeat(Repeat::Always)
            .build(),
    );
    for _ in 0..200 {
        let answer = failover.ready().await.unwrap().call(1);
        sleep(SECOND).await;
        drop(answer);
    }
    assert_eq!((eu.calls(), us.calls()), (200, 0));
    assert_eq!(failover.control().history().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn trials_of_a_backend_that_hangs_become_rare_though_they_are_cancelled() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let mut failover = keep(
        Failover::builder("sessions")
            .backend(eu.backend())
            .backend(us.backend().tier(1))
            .repeat(Repeat::Always)
            .build(),
    );
    eu.set(Fault::Hangs);
    assert_eq!(call(&mut failover).await.unwrap(), "us");
    let mut lost = 0;
    for _ in 0..3_000 {
        lost += usize::from(timeout(SECOND * 6 / 10, call(&mut failover)).await.is_err());
        sleep(SECOND / 10).await;
    }
    assert!((1..=60).contains(&lost), "{lost} calls lost in five minutes");
    assert_eq!((eu.calls(), eu.in_flight()), (lost + 1, 0));
}
