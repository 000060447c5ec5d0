//! A failover as a service among others.

use std::{
    fmt::Debug,
    future::{Ready, ready},
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures::FutureExt;
use tokio::time::{Instant, sleep};
use tower::{
    BoxError, Service, ServiceBuilder, ServiceExt, limit::ConcurrencyLimit, service_fn,
    util::BoxCloneService,
};
use tower_failover::{
    Circuit, FallbackLayer,
    failover::{Backend, Control, Failover, NoBackend, Policy, Recovery, Repeat, Upkeep},
    fallback::{Retries, Value},
    health::{self, Health},
};

use crate::support::{Fault, Log, Site, SiteService, call, keep};

const SECOND: Duration = Duration::from_secs(1);

fn is_plain<T: Debug + Send + 'static>(_: &T) {}
fn is_shared<T: Sync + Clone>(_: &T) {}

#[tokio::test(start_paused = true)]
async fn everything_is_send_and_tells_what_it_is() {
    let one = |_: u64| ready(Ok::<_, BoxError>(1));
    let builder = Failover::builder("sessions").backend(Backend::new("eu", service_fn(one)));
    is_plain(&builder);
    let (mut failover, upkeep): (_, Upkeep) = builder.build();
    let control: Control = failover.control();
    is_plain(&failover);
    is_shared(&failover);
    is_plain(&upkeep);
    is_plain(&control);
    is_shared(&control);
    let answer = failover.ready().await.unwrap().call(1);
    is_plain(&answer);
    assert!(format!("{answer:?}").contains("eu"));
    assert!(format!("{failover:?} {upkeep:?} {control:?}").contains("sessions"));
    assert_eq!(answer.await.unwrap(), 1);
}

/// Is never ready.
#[derive(Clone)]
struct Never;

impl Service<u64> for Never {
    type Response = &'static str;
    type Error = BoxError;
    type Future = Ready<Result<&'static str, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Pending
    }

    fn call(&mut self, _: u64) -> Self::Future {
        panic!("it was not ready")
    }
}

#[tokio::test(start_paused = true)]
async fn the_instance_that_was_ready_is_the_one_that_is_called() {
    /// Only the first instance that is asked gets ready.
    struct Once(bool, bool);
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    impl Clone for Once {
        fn clone(&self) -> Self {
            Self(false, false)
        }
    }
    impl Service<u64> for Once {
        type Response = &'static str;
        type Error = BoxError;
        type Future = Ready<Result<&'static str, BoxError>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            self.0 |= ASKED.fetch_add(1, Ordering::Relaxed) == 0;
            if self.0 { Poll::Ready(Ok(())) } else { Poll::Pending }
        }

        fn call(&mut self, _: u64) -> Self::Future {
            assert!(self.0 && !self.1, "another instance was ready");
            self.1 = true;
            ready(Ok("once"))
        }
    }
    let (mut failover, _upkeep) = Failover::builder("sessions")
        .backend(Backend::new("eu", Once(false, false)))
        .repeat(Repeat::Always)
        .build();
    let service = failover.ready().await.unwrap();
    let clone = service.clone();
    assert_eq!(service.call(1).await.unwrap(), "once");
    drop(clone);
}

#[tokio::test(start_paused = true)]
async fn backends_of_several_types_are_boxed() {
    let (mut failover, _upkeep) = Failover::builder("sessions")
        .backend(Backend::new("eu", BoxCloneService::new(Never)))
        .backend(Backend::new("us", BoxCloneService::new(Site::new("us").service())).tier(1))
        .build();
    assert_eq!(failover.ready().await.unwrap().call(1).await.unwrap(), "us");
}

#[tokio::test(start_paused = true)]
async fn a_stack_around_it_answers_when_nobody_is_left() {
    let site = Site::new("eu");
    let failover =
        keep(Failover::builder("sessions").backend(site.backend()).repeat(Repeat::Always).build());
    let mut stack = ServiceBuilder::new()
        .layer(FallbackLayer::new(Value::of("the last resort")))
        .timeout(failover.control().policy().budget())
        .service(failover);
    assert_eq!(stack.ready().await.unwrap().call(1).await.unwrap(), "eu");
    for fault in [Fault::Refused, Fault::Hangs, Fault::NeverReady, Fault::Unready] {
        site.set(fault);
        assert_eq!(stack.ready().await.unwrap().call(1).await.unwrap(), "the last resort");
    }
}

#[tokio::test(start_paused = true)]
async fn under_retries_a_backend_is_left_after_several_tries() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let (mut failover, _upkeep) = Failover::builder("sessions")
        .backend(eu.backend().after_retries(Retries::up_to(2)))
        .backend(us.backend().tier(1).after_retries(Retries::up_to(2)))
        .repeat(Repeat::IfNotApplied)
        .build();
    eu.set(Fault::Refused);
    assert_eq!(failover.ready().await.unwrap().call(1).await.unwrap(), "us");
    assert_eq!((eu.calls(), us.calls()), (3, 1));
}

#[test]
fn without_a_runtime_calls_that_are_answered_at_once_work() {
    let one = |_: u64| ready(Ok::<_, BoxError>(1));
    let (mut failover, _upkeep) =
        Failover::builder("sessions").backend(Backend::new("eu", service_fn(one))).build();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(failover.poll_ready(&mut cx).is_ready());
    let mut answer = Box::pin(failover.call(1));
    assert!(matches!(answer.as_mut().poll(&mut cx), Poll::Ready(Ok(1))));
}

#[test]
fn a_call_to_a_healthy_backend_allocates_nothing() {
    let one = |_: u64| ready(Ok::<_, BoxError>(1));
    let health = Health::new("eu");
    health.succeeded(SECOND);
    let (mut failover, _upkeep) = Failover::builder("sessions")
        .backend(Backend::new("eu", service_fn(one)).circuit(Circuit::new("eu")).health(health))
        .backend(Backend::new("us", service_fn(one)).tier(1))
        .repeat(Repeat::Always)
        .build();
    let mut cx = Context::from_waker(Waker::noop());
    let mut make = |calls: u64| {
        for n in 0..calls {
            assert!(failover.poll_ready(&mut cx).is_ready());
            let answer = std::pin::pin!(failover.call(n));
            assert!(answer.poll(&mut cx).is_ready());
        }
    };
    make(100);
    let counted = allocation_counter::measure(|| make(10_000));
    assert_eq!(counted.count_total, 0);
}

#[tokio::test(start_paused = true)]
async fn every_call_ends_within_its_budget() {
    let faults = [Fault::Refused, Fault::Dropped, Fault::Hangs, Fault::NeverReady, Fault::Unready];
    let policy = Policy::new().attempts(3).attempt_timeout(Duration::from_millis(100));
    let mut longest = Duration::ZERO;
    for a in faults {
        for b in faults {
            for c in faults {
                let sites = ["a", "b", "c"].map(Site::new);
                let mut builder = Failover::builder("sessions").repeat(Repeat::Always);
                for (site, fault) in sites.iter().zip([a, b, c]) {
                    site.set(fault);
                    builder = builder.backend(site.backend());
                }
                let mut failover = keep(builder.policy(policy).build());
                for _ in 0..3 {
                    let began = tokio::time::Instant::now();
                    let error = call(&mut failover).await.unwrap_err();
                    let took = began.elapsed();
                    assert!(took <= policy.budget(), "{a:?} {b:?} {c:?}: {took:?} {error}");
                    longest = longest.max(took);
                    assert!(sites.iter().all(|site| site.in_flight() == 0));
                    if error.is::<NoBackend>() {
                        let nobody = error.downcast_ref::<NoBackend>().unwrap();
                        assert_eq!(nobody.reasons().count(), 3);
                    }
                }
            }
        }
    }
    assert!(longest > policy.budget() * 9 / 10, "{longest:?}");
}

/// Real threads: calls, faults and hands at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_threads_every_call_is_answered_and_nothing_leaks() {
    let sites = ["a", "b", "c"].map(Site::new);
    let healths = ["a", "b", "c"].map(Health::new);
    let circuits = ["a", "b", "c"].map(Circuit::new);
    let mut builder = Failover::builder("sessions").repeat(Repeat::Always);
    for n in 0..3 {
        let backend = sites[n].backend().tier(n as u32);
        builder = builder.backend(backend.health(healths[n].clone()).circuit(circuits[n].clone()));
    }
    let failover = keep(builder.build());
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let mut failover = failover.clone();
            tokio::spawn(async move {
                let (mut answered, mut failed) = (0, 0);
                for n in 0..5_000 {
                    match call(&mut failover).await {
                        Ok(_) => answered += 1,
                        Err(_) => failed += 1,
                    }
                    if n % 16 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
                (answered, failed)
            })
        })
        .collect();
    let control = failover.control();
    let mut rounds = 0;
    while !callers.iter().all(|caller| caller.is_finished()) {
        // The last one is always fine.
        let n = rounds % 2;
        match rounds % 6 {
            0 | 1 => sites[n].set(Fault::Refused),
            2 => healths[n].down("told"),
            3 => circuits[n].force_open(),
            _ => {
                sites[n].set(Fault::Nothing);
                healths[n].succeeded(SECOND);
                circuits[n].release();
                circuits[n].reset();
                control.recover("told");
                let _ = control.fail_over(["a", "b"][n], "told", None);
            }
        }
        rounds += 1;
        tokio::task::yield_now().await;
    }
    let (mut answered, mut failed) = (0, 0);
    for caller in callers {
        let (one, other) = caller.await.unwrap();
        answered += one;
        failed += other;
    }
    assert_eq!(answered + failed, 20_000);
    // Three attempts may meet three backends that fail while they are tried.
    assert!(failed < 200, "{failed} of {answered}");
    assert!(rounds > 10 && control.history().len() > 2, "{rounds}");
    assert!(sites.iter().all(|site| site.in_flight() == 0));
    drop((failover, control));
}

/// Has one place; who is ready holds it.
fn narrow(site: &Site, name: &'static str) -> Backend<ConcurrencyLimit<SiteService>> {
    Backend::new(name, ConcurrencyLimit::new(site.service(), 1))
}

/// Makes calls one after the other, and returns how long the slowest took.
async fn slowest(
    failover: &mut Failover<ConcurrencyLimit<SiteService>>,
    calls: usize,
    every: Duration,
) -> Duration {
    let mut slowest = Duration::ZERO;
    for _ in 0..calls {
        let began = Instant::now();
        failover.ready().await.unwrap().call(1).await.unwrap();
        slowest = slowest.max(began.elapsed());
        sleep(every).await;
    }
    slowest
}

#[tokio::test(start_paused = true)]
async fn a_trial_does_not_wait_for_the_place_that_its_own_handle_holds() {
    let (eu, us, log) = (Site::new("eu"), Site::new("us"), Log::default());
    let mut failover = keep(
        Failover::builder("sessions")
            .backend(narrow(&eu, "eu"))
            .backend(narrow(&us, "us").tier(1))
            .repeat(Repeat::Always)
            .observe(log.observer())
            .build(),
    );
    eu.set(Fault::Refused);
    assert_eq!(slowest(&mut failover, 1_000, SECOND / 100).await, Duration::ZERO);
    assert!(eu.calls() >= 2, "{} trials", eu.calls());
    assert_eq!(log.lines(), ["none→eu start", "eu→us connection"]);
}

#[tokio::test(start_paused = true)]
async fn a_gradual_recovery_does_not_wait_for_the_place_that_its_own_handle_holds() {
    let (eu, us, log) = (Site::new("eu"), Site::new("us"), Log::default());
    let (health, monitor) = eu.health(health::Policy::new());
    tokio::spawn(monitor);
    let mut failover = keep(
        Failover::builder("sessions")
            .backend(narrow(&eu, "eu").health(health))
            .backend(narrow(&us, "us").tier(1))
            .repeat(Repeat::Always)
            .policy(Policy::new().recovery(Recovery::new().gradual(30 * SECOND)))
            .observe(log.observer())
            .build(),
    );
    sleep(SECOND).await;
    eu.set(Fault::Refused);
    sleep(5 * SECOND).await;
    eu.set(Fault::Nothing);
    assert_eq!(slowest(&mut failover, 6_000, SECOND / 100).await, Duration::ZERO);
    assert!(eu.calls() > 100 && us.calls() > 100, "{} and {}", eu.calls(), us.calls());
    assert_eq!(log.lines(), ["none→eu start", "eu→us health", "us→eu recovery"]);
}

#[tokio::test(start_paused = true)]
async fn the_place_at_a_backend_that_was_left_meanwhile_is_given_back() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let (health, circuit) = (Health::new("eu"), Circuit::new("eu"));
    let place = ConcurrencyLimit::new(eu.service(), 1);
    let backend = Backend::new("eu", place.clone()).health(health.clone()).circuit(circuit.clone());
    let mut failover = keep(
        Failover::builder("sessions").backend(backend).backend(narrow(&us, "us").tier(1)).build(),
    );
    for round in 0..3 {
        assert_eq!(failover.ready().await.unwrap().call(1).await.unwrap(), "eu");
        failover.ready().await.unwrap();
        assert!(place.clone().ready().now_or_never().is_none(), "it is taken");
        match round {
            0 => health.down("told"),
            1 => circuit.force_open(),
            _ => failover.control().fail_over("us", "told", None).unwrap(),
        }
        assert_eq!(failover.call(1).await.unwrap(), "us");
        assert!(place.clone().ready().now_or_never().is_some(), "it is free, round {round}");
        health.up();
        circuit.release();
        circuit.reset();
        failover.control().recover("told");
    }
}
