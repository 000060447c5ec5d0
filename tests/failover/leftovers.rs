//! What a call leaves behind that did not end as it began.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep};
use tower::{Service, ServiceExt, limit::ConcurrencyLimit};
use tower_failover::{
    Backoff,
    failover::{Backend, Failover, MayHaveRun, Policy, Recovery, Repeat, Repeats},
};

use crate::support::{Fault, Site, SiteService, call, keep};

const SECOND: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(10);

#[derive(Clone)]
struct CopyPanics(Arc<AtomicUsize>);

impl Repeats<u64> for CopyPanics {
    fn repeat(&self, _: &u64) -> Repeat {
        Repeat::Always
    }
    fn copy(&self, request: &u64) -> Option<u64> {
        assert!(self.0.fetch_add(1, Ordering::Relaxed) != 3, "as told");
        Some(*request)
    }
}

/// A copy that panics does not take a backend out for a minute.
#[tokio::test(start_paused = true)]
async fn a_copy_that_panics_leaves_no_claim() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let copies = CopyPanics(Arc::default());
    let mut failover = keep(
        Failover::builder("f")
            .backend(eu.backend())
            .backend(us.backend().tier(1))
            .repeat(copies.clone())
            .build(),
    );
    assert_eq!(call(&mut failover).await.unwrap(), "eu"); // copy 0
    let control = failover.control();
    control.fail_over("us", "so that it fails", None).unwrap();
    us.set(Fault::Refused);
    assert_eq!(call(&mut failover).await.unwrap(), "eu"); // copies 1 and 2
    us.set(Fault::Nothing);
    eu.set(Fault::Refused);
    copies.0.store(2, Ordering::Relaxed);
    let mut other = failover.clone();
    let died = tokio::spawn(async move { call(&mut other).await }).await;
    assert!(died.is_err(), "{died:?}");
    let began = Instant::now();
    while call(&mut failover).await.ok() != Some("us") {
        assert!(
            began.elapsed() < 5 * SECOND,
            "us is fine and is not tried: {:?}",
            failover.status()
        );
        sleep(TICK).await;
    }
}

/// A request without a copy that may have run is reported as such.
#[tokio::test(start_paused = true)]
async fn a_call_without_a_copy_that_may_have_run_is_reported() {
    #[derive(Clone)]
    struct NoCopy;
    impl Repeats<u64> for NoCopy {
        fn repeat(&self, _: &u64) -> Repeat {
            Repeat::IfNotApplied
        }
        fn copy(&self, _: &u64) -> Option<u64> {
            None
        }
    }
    let eu = Site::new("eu");
    eu.set(Fault::Dropped);
    let mut failover = keep(Failover::builder("f").backend(eu.backend()).repeat(NoCopy).build());
    let error = call(&mut failover).await.unwrap_err();
    assert!(error.is::<MayHaveRun>(), "{error:?}");
}

/// A trial that served is what brought the backend back, and confirms it.
#[tokio::test(start_paused = true)]
async fn a_trial_that_answered_is_a_success_of_the_switch() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let recovery = Recovery::new().threshold(2).delay(Backoff::fixed(Duration::from_nanos(1)));
    let mut failover = keep(
        Failover::builder("f")
            .backend(eu.backend())
            .backend(us.backend().tier(1))
            .policy(Policy::new().recovery(recovery))
            .repeat(Repeat::Always)
            .build(),
    );
    eu.set(Fault::Refused);
    assert_eq!(call(&mut failover).await.unwrap(), "us");
    eu.set(Fault::Nothing);
    let before = eu.calls();
    while failover.status().active.unwrap().as_str() != "eu" {
        sleep(SECOND).await;
        call(&mut failover).await.unwrap();
        assert!(eu.calls() < before + 10);
    }
    assert!(eu.calls() >= before + 2, "trials brought it back");
    let back = failover.control().history().pop().unwrap();
    assert_eq!(back.to().map(|to| to.as_str()), Some("eu"), "{back:?}");
    assert_eq!((back.success(), back.served_after()), (Some(true), Some(Duration::ZERO)));
}

type Limited = ConcurrencyLimit<SiteService>;

fn limited(site: &Site, name: &'static str, most: usize) -> Backend<Limited> {
    Backend::new(name, ConcurrencyLimit::new(site.service(), most))
}

/// A call that waited for a backend that was left is not told that nobody is there while another is.
#[tokio::test(start_paused = true)]
async fn a_call_that_waited_for_a_backend_that_was_left_goes_to_who_serves() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let mut failover = keep(
        Failover::builder("f")
            .backend(limited(&eu, "eu", 1))
            .backend(limited(&us, "us", 8).tier(1))
            .policy(Policy::new().attempts(1))
            .repeat(Repeat::Always)
            .build(),
    );
    eu.set(Fault::Slow(TICK));
    let first = tokio::spawn({
        let failover = failover.clone();
        async move { failover.oneshot(1).await }
    });
    sleep(TICK / 10).await;
    let second = tokio::spawn({
        let failover = failover.clone();
        async move { failover.oneshot(1).await }
    });
    sleep(TICK / 10).await;
    eu.set(Fault::Dropped);
    first.await.unwrap().unwrap_err();
    let waited = second.await.unwrap();
    assert_eq!(failover.ready().await.unwrap().call(1).await.unwrap(), "us", "us serves");
    assert_eq!(waited.unwrap(), "us");
}

/// What is left of its time after a wait is no measure of the backend that it goes to.
#[tokio::test(start_paused = true)]
async fn the_rest_of_an_attempt_keeps_the_budget_and_charges_nobody() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let policy = Policy::new().attempts(1).attempt_timeout(SECOND);
    let mut failover = keep(
        Failover::builder("f")
            .backend(limited(&eu, "eu", 1))
            .backend(limited(&us, "us", 8).tier(1))
            .policy(policy)
            .repeat(Repeat::Always)
            .build(),
    );
    eu.set(Fault::Slow(8 * SECOND / 10));
    let first = tokio::spawn(failover.clone().oneshot(1));
    sleep(TICK).await;
    let began = Instant::now();
    let second = tokio::spawn(failover.clone().oneshot(1));
    sleep(TICK).await;
    eu.set(Fault::Dropped);
    us.set(Fault::Slow(SECOND / 2));
    let control = failover.control();
    sleep(SECOND / 2).await;
    assert_eq!(us.calls(), 0, "it waits");
    eu.set(Fault::Dropped);
    first.await.unwrap().unwrap_err();
    assert!(second.await.unwrap().is_err(), "us would have taken longer than what was left");
    assert!(began.elapsed() <= policy.budget(), "{:?}", began.elapsed());
    assert_eq!(us.calls(), 1);
    assert_eq!(control.status().active.unwrap().as_str(), "us", "it is not charged");
    assert_eq!(control.history().len(), 2, "{:?}", control.history());
    assert_eq!(failover.ready().await.unwrap().call(1).await.unwrap(), "us");
}
