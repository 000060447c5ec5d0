//! Promises 1 and 2: nothing that a probe does ends the probing, and who is dead at boot is noticed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use tokio::time::{Instant, sleep};
use tower::{Service, service_fn};
use tower_failover::{
    BoxError, Outcome,
    health::{Grade, Health, ServiceProbe},
};

use crate::support::{ANSWERS, Act, EXACT, MILLISECOND, SECOND, Target, Ward};

const BAD: [(Act, &str); 6] = [
    (Act::Fails, "connection refused"),
    (Act::Hangs, "no answer within 500ms"),
    (Act::PanicsWhenCalled, "its probe panicked"),
    (Act::PanicsWhenPolled, "its probe panicked"),
    (Act::PanicsWhenDropped, "no answer within 500ms"),
    (Act::ErrorPanics, "its probe panicked"),
];

#[tokio::test(start_paused = true)]
async fn health_promise_1_a_probe_that_errors_panics_or_hangs_never_stops_the_probing() {
    for (act, error) in BAD {
        let ward = Ward::new(ANSWERS, EXACT);
        ward.checked(3).await;
        ward.target.now(act);
        let before = ward.target.probes();
        ward.checked(20).await;
        assert!(ward.target.probes() - before >= 20, "{act:?}");
        assert_eq!(ward.health.grade(), Grade::Unhealthy, "{act:?}");
        let snapshot = ward.health.snapshot();
        assert_eq!(snapshot.last_error.as_ref().unwrap().as_str(), error, "{act:?}");
        assert!(snapshot.consecutive_failures >= 20, "{snapshot:?}");
        assert_eq!(snapshot.last_check.unwrap().error(), Some(error));
        assert_eq!(ward.target.under_way(), 0, "a probe was left behind by {act:?}");

        let healed = Instant::now();
        ward.target.now(ANSWERS);
        ward.diary.hears(Grade::Healthy, healed).await;
        assert!(ward.health.is_monitored());
        assert_eq!(ward.diary.grades(), [Grade::Healthy, Grade::Unhealthy, Grade::Healthy]);
    }
}

#[tokio::test(start_paused = true)]
async fn health_promise_1_a_mixture_of_all_that_goes_wrong_ends_nothing() {
    let ward = Ward::new(ANSWERS, EXACT.probes_per_check(3));
    let mut rounds = 0;
    for _ in 0..30 {
        for (act, _) in BAD {
            ward.target.now(act);
            ward.target.probed(ward.target.probes() + 3).await;
            rounds += 1;
        }
    }
    assert_eq!(rounds, 180);
    ward.target.now(ANSWERS);
    ward.health.wait_until_healthy().await;
    assert_eq!(ward.target.under_way(), 0);
}

#[tokio::test(start_paused = true)]
async fn health_promise_2_dead_at_boot_is_noticed_by_the_first_check() {
    for (act, error) in BAD {
        let started = Instant::now();
        let ward = Ward::new(act, EXACT);
        assert_eq!(ward.health.grade(), Grade::Unknown);
        let told = ward.diary.hears(Grade::Unhealthy, started).await - started;
        assert!(told <= SECOND / 2, "{told:?} with {act:?}");
        let [change] = ward.diary.changes().try_into().unwrap();
        assert_eq!((change.from(), change.reason()), (Grade::Unknown, error));
        assert!(ward.health.refusal().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn health_promise_2_alive_at_boot_is_noticed_by_the_first_check_too() {
    let ward = Ward::new(ANSWERS, EXACT.rise(5));
    ward.target.probed(1).await;
    sleep(MILLISECOND).await;
    assert_eq!(ward.health.grade(), Grade::Healthy);
    assert_eq!(ward.diary.changes()[0].reason(), "the first check was good");
}

#[tokio::test(start_paused = true)]
async fn all_probes_of_a_check_run_at_once_under_one_timeout() {
    let targets = [Target::new(Act::Hangs), Target::new(Act::Hangs)];
    let (health, monitor) = Health::builder("two")
        .policy(EXACT.probes_per_check(4))
        .probe(targets[0].clone())
        .probe(targets[1].clone())
        .monitor();
    let began = Instant::now();
    drop(tokio::spawn(monitor));
    sleep(SECOND / 4).await;
    assert_eq!(targets.each_ref().map(Target::under_way), [4, 4]);
    while health.grade() == Grade::Unknown {
        sleep(MILLISECOND).await;
    }
    assert!(began.elapsed() <= SECOND / 2 + MILLISECOND);
    assert_eq!(targets.each_ref().map(Target::under_way), [0, 0]);
}

/// Ready only from the third poll on.
#[derive(Clone)]
struct Slowly {
    polls: Arc<AtomicUsize>,
    calls: Arc<AtomicUsize>,
}

impl Service<u16> for Slowly {
    type Response = u16;
    type Error = BoxError;
    type Future = std::future::Ready<Result<u16, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.polls.fetch_add(1, Ordering::Relaxed) < 2 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u16) -> Self::Future {
        assert!(self.polls.load(Ordering::Relaxed) > 2, "called before it was ready");
        self.calls.fetch_add(1, Ordering::Relaxed);
        std::future::ready(Ok(request))
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_is_asked_whether_it_is_ready_and_its_answer_is_judged() {
    let service = Slowly { polls: Arc::default(), calls: Arc::default() };
    let calls = service.calls.clone();
    let judge = |result: &Result<u16, BoxError>| match result {
        Ok(500..) | Err(_) => Outcome::Failure,
        Ok(404) => Outcome::Ignored,
        Ok(_) => Outcome::Success,
    };
    for (status, grade) in [(200, Grade::Healthy), (404, Grade::Healthy), (503, Grade::Unhealthy)] {
        let probe = ServiceProbe::new(service.clone(), status).classify(judge);
        let (health, monitor) = Health::builder("http").probe(probe).monitor();
        drop(tokio::spawn(monitor));
        assert_eq!(health.check_now().await, grade, "{status}");
    }
    assert!(calls.load(Ordering::Relaxed) >= 3);
    let failing = service_fn(async |_: ()| Err::<(), BoxError>("no route to host".into()));
    let (health, monitor) = Health::builder("down").probe(ServiceProbe::new(failing, ())).monitor();
    drop(tokio::spawn(monitor));
    assert_eq!(health.check_now().await, Grade::Unhealthy);
    assert_eq!(health.snapshot().reason.as_str(), "no route to host");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_never_ready_or_cannot_be_is_a_bad_one() {
    for (ready, error) in [(None, "no answer within 500ms"), (Some("gone"), "gone")] {
        let (mock, handle) = tower_test::mock::pair::<(), ()>();
        let mut handle = handle;
        handle.allow(0);
        if let Some(error) = ready {
            handle.send_error(error);
        }
        let (health, monitor) =
            Health::builder("mock").policy(EXACT).probe(ServiceProbe::new(mock, ())).monitor();
        drop(tokio::spawn(monitor));
        assert_eq!(health.check_now().await, Grade::Unhealthy);
        assert_eq!(health.snapshot().reason.as_str(), error);
    }
}
