//! Whatever panics, the failover goes on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use tokio::time::sleep;
use tower::{Service, ServiceExt};
use tower_failover::{
    BoxError, Circuit, Classify, Outcome,
    failover::{Backend, Failover, Repeat, Repeats},
    health,
};

use crate::support::{Fault, Site, call, keep, line};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_backend_that_panics_has_failed() {
    for fault in [Fault::PanicsInCall, Fault::PanicsInAnswer, Fault::PanicsInReady] {
        let (eu, us) = (Site::new("eu"), Site::new("us"));
        let circuit = Circuit::new("eu");
        let mut failover = keep(
            Failover::builder("sessions")
                .backend(eu.backend().circuit(circuit.clone()))
                .backend(us.backend().tier(1))
                .repeat(Repeat::Always)
                .build(),
        );
        assert_eq!(call(&mut failover).await.unwrap(), "eu");
        eu.set(fault);
        let panicked = AssertUnwindSafe(call(&mut failover)).catch_unwind().await;
        assert!(panicked.is_err(), "{fault:?}: the panic is the caller's");
        assert_eq!(circuit.snapshot().consecutive_failures, 1, "{fault:?}");
        assert_eq!(eu.in_flight(), 0);
        for _ in 0..3 {
            assert_eq!(call(&mut failover).await.unwrap(), "us", "{fault:?}");
        }
        let history = failover.control().history();
        assert_eq!(line(&history[1]), "eu→us connection");
        assert_eq!(history[1].reason(), "it panicked");
    }
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_panics_on_a_call_that_moved_has_failed_too() {
    for fault in [Fault::PanicsInCall, Fault::PanicsInAnswer, Fault::PanicsInReady] {
        let (eu, us, ap) = (Site::new("eu"), Site::new("us"), Site::new("ap"));
        let mut failover = keep(
            Failover::builder("sessions")
                .backend(eu.backend())
                .backend(us.backend().tier(1))
                .backend(ap.backend().tier(2))
                .repeat(Repeat::Always)
                .build(),
        );
        eu.set(Fault::Refused);
        us.set(fault);
        let panicked = AssertUnwindSafe(call(&mut failover)).catch_unwind().await;
        assert!(panicked.is_err(), "{fault:?}");
        assert_eq!(call(&mut failover).await.unwrap(), "ap", "{fault:?}");
        let lines: Vec<_> = failover.control().history().iter().map(line).collect();
        assert_eq!(lines, ["none→eu start", "eu→us connection", "us→ap cascade"]);
    }
}

/// Panics in the step that it is told, once.
#[derive(Clone, Default)]
struct Rude {
    step: Arc<std::sync::Mutex<&'static str>>,
    panics: Arc<AtomicUsize>,
}

impl Rude {
    fn at(&self, step: &str) {
        let mut told = self.step.lock().unwrap();
        if *told == step {
            *told = "";
            drop(told);
            self.panics.fetch_add(1, Ordering::Relaxed);
            panic!("as told");
        }
    }
}

impl Repeats<u64> for Rude {
    fn repeat(&self, _: &u64) -> Repeat {
        self.at("repeat");
        Repeat::Always
    }

    fn copy(&self, request: &u64) -> Option<u64> {
        self.at("copy");
        Some(*request)
    }

    fn may_have_run(&self, _: &u64, _: &(dyn std::error::Error + 'static)) -> bool {
        self.at("may_have_run");
        true
    }
}

impl<T> Classify<T, BoxError> for Rude {
    fn classify(&self, result: &Result<T, BoxError>) -> Outcome {
        self.at("classify");
        if result.is_ok() { Outcome::Success } else { Outcome::Failure }
    }

    fn retry_after(&self, _: &Result<T, BoxError>) -> Option<Duration> {
        self.at("retry_after");
        None
    }
}

#[tokio::test(start_paused = true)]
async fn what_judges_may_panic_and_nothing_is_lost() {
    for step in ["repeat", "copy", "may_have_run", "classify", "retry_after"] {
        let (eu, us, rude) = (Site::new("eu"), Site::new("us"), Rude::default());
        let circuit = Circuit::new("eu");
        let mut failover = keep(
            Failover::builder("sessions")
                .backend(eu.backend().circuit(circuit.clone()))
                .backend(us.backend().tier(1))
                .repeat(rude.clone())
                .classify(rude.clone())
                .build(),
        );
        eu.set(Fault::Refused);
        *rude.step.lock().unwrap() = step;
        let panicked = AssertUnwindSafe(call(&mut failover)).catch_unwind().await;
        assert!(panicked.is_err(), "{step}");
        assert_eq!(rude.panics.load(Ordering::Relaxed), 1);
        assert_eq!(eu.in_flight(), 0);
        assert_eq!(call(&mut failover).await.unwrap(), "us", "{step}");
        failover.control().recover("again");
        eu.set(Fault::Nothing);
        assert_eq!(call(&mut failover).await.unwrap(), "eu", "{step}");
        assert!(circuit.permit().is_ok());
    }
}

/// A service whose clone panics when it is told so.
struct Uncloneable<S>(S, Arc<AtomicBool>);

impl<S: Clone> Clone for Uncloneable<S> {
    fn clone(&self) -> Self {
        assert!(!self.1.load(Ordering::Relaxed), "as told");
        Self(self.0.clone(), self.1.clone())
    }
}

impl<S: Service<u64>> Service<u64> for Uncloneable<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: u64) -> S::Future {
        self.0.call(request)
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_whose_clone_panics_harms_nobody_else() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let (fine, bad) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(true)));
    let mut failover = keep(
        Failover::builder("sessions")
            .backend(Backend::new("eu", Uncloneable(eu.service(), fine)))
            .backend(Backend::new("us", Uncloneable(us.service(), bad.clone())).tier(1))
            .repeat(Repeat::Always)
            .build(),
    );
    failover.ready().await.unwrap().call(1).await.unwrap();
    eu.set(Fault::Refused);
    let answer = failover.ready().await.unwrap().call(1);
    assert!(AssertUnwindSafe(answer).catch_unwind().await.is_err());
    let why = failover.status().backends[1].last_error.clone().unwrap();
    assert_eq!(why.as_str(), "it panicked");
    bad.store(false, Ordering::Relaxed);
    sleep(2 * SECOND).await;
    assert_eq!(failover.ready().await.unwrap().call(1).await.unwrap(), "us");
}

#[tokio::test(start_paused = true)]
async fn the_upkeep_survives_probes_and_hooks_that_panic() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let (health, monitor) = eu.health(health::Policy::new());
    tokio::spawn(monitor);
    let begun = Arc::new(AtomicUsize::new(0));
    let hook = {
        let begun = begun.clone();
        move || {
            // Twice when it is called, then twice when it is polled.
            let time = begun.fetch_add(1, Ordering::Relaxed);
            assert!(time >= 2, "as told");
            async move {
                assert!(time >= 4, "as told");
                Ok(())
            }
        }
    };
    let (mut failover, upkeep) = Failover::builder("sessions")
        .backend(eu.backend().health(health).catch_up(hook))
        .backend(us.backend().tier(1))
        .repeat(Repeat::Always)
        .build();
    let upkeep = tokio::spawn(upkeep);
    sleep(2 * SECOND).await;
    eu.set(Fault::PanicsInAnswer);
    assert!(AssertUnwindSafe(call(&mut failover)).catch_unwind().await.is_err());
    for _ in 0..50 {
        assert_eq!(call(&mut failover).await.unwrap(), "us");
        sleep(SECOND / 10).await;
    }
    eu.set(Fault::Nothing);
    for _ in 0..2_000 {
        call(&mut failover).await.unwrap();
        sleep(SECOND / 10).await;
    }
    assert_eq!(call(&mut failover).await.unwrap(), "eu");
    assert_eq!(begun.load(Ordering::Relaxed), 5);
    assert!(!upkeep.is_finished());
}
