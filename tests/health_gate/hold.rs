//! Calls that wait until the target is back.

use std::{
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::{FutureExt, future::poll_fn};
use tokio::time::{Instant, advance, sleep, timeout};
use tokio_test::{assert_pending, assert_ready, task};
use tower::{Layer, Service, ServiceExt};
use tower_failover::{
    BoxError,
    health::{Grade, Health, HealthGateLayer, hold::HoldLayer},
};

use crate::{
    MILLISECOND, SECOND,
    backend::{Backend, Count, Readiness, Work},
    call, fall, healthy, refusal, rise, unhealthy,
};

fn hold(health: &Health, limit: Duration, at_most: usize) -> HoldLayer {
    HealthGateLayer::new(health.clone()).hold_for(limit, at_most)
}

/// Counts how often a future is polled.
async fn counted<F: Future>(future: F, polls: Count) -> F::Output {
    let mut future = Box::pin(future);
    poll_fn(|cx| {
        polls.add();
        future.as_mut().poll(cx)
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_a_held_call_waits_and_is_woken_when_health_returns() {
    let health = unhealthy();
    let backend = Backend::new(Work::Succeeds);
    let mut service = hold(&health, SECOND, 1).layer(backend.clone());
    ServiceExt::<()>::ready(&mut service).await.unwrap();
    let mut held = task::spawn(service.call(()));
    assert_pending!(held.poll());
    advance(SECOND / 2).await;
    assert!(!held.is_woken());
    assert_eq!((backend.polled.get(), backend.called.get()), (0, 0), "it is unhealthy");
    rise(&health);
    assert!(held.is_woken(), "nobody told the call that waits");
    assert_eq!(assert_ready!(held.poll()).unwrap(), 0);
    assert_eq!((backend.polled.get(), backend.called.get()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_a_thousand_held_calls_cost_no_polls_and_are_all_served() {
    let health = unhealthy();
    let backend = Backend::new(Work::Succeeds);
    let service = hold(&health, 60 * SECOND, 1_000).layer(backend.clone());
    let polls = Count::default();
    let held: Vec<_> = (0..1_000)
        .map(|_| tokio::spawn(counted(service.clone().oneshot(()), polls.clone())))
        .collect();
    while polls.get() < 1_000 {
        tokio::task::yield_now().await;
    }
    for _ in 0..50 {
        sleep(SECOND).await;
        health.failed("still broken");
    }
    assert_eq!(polls.get(), 1_000, "who waits is left alone");
    assert_eq!((backend.polled.get(), backend.called.get()), (0, 0));
    let back = Instant::now();
    rise(&health);
    for call in held {
        call.await.unwrap().unwrap();
    }
    assert_eq!(back.elapsed(), Duration::ZERO);
    assert_eq!((polls.get(), backend.called.get()), (2_000, 1_000));
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_a_call_is_held_no_longer_than_the_limit() {
    for limit in [Duration::ZERO, MILLISECOND, SECOND, 3_600 * SECOND] {
        let health = unhealthy();
        let backend = Backend::new(Work::Succeeds);
        let mut service = hold(&health, limit, 1).layer(backend.clone());
        let begun = Instant::now();
        let answer = timeout(limit + SECOND, call(&mut service)).await.expect("the limit ends it");
        assert_eq!(refusal(&answer).unwrap().reason(), "the disk is full");
        let held = begun.elapsed();
        assert!(held >= limit && held <= limit + 2 * MILLISECOND, "{limit:?}: {held:?}");
        assert_eq!((backend.polled.get(), backend.called.get()), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_no_more_calls_are_held_than_allowed_whoever_makes_them() {
    let health = unhealthy();
    let backend = Backend::new(Work::Succeeds);
    let layer = hold(&health, SECOND, 3);
    let service = layer.layer(backend.clone());
    let others =
        [layer.layer(backend.clone()), layer.clone().layer(backend.clone()), service.clone()];
    let mut held: Vec<_> =
        others.into_iter().map(|service| task::spawn(service.oneshot(()))).collect();
    held.iter_mut().for_each(|call| assert_pending!(call.poll()));
    for _ in 0..100 {
        let mut over = task::spawn(service.clone().oneshot(()));
        assert!(refusal(&assert_ready!(over.poll(), "it is one too many")).is_some());
    }
    rise(&health);
    for mut call in held {
        assert_ready!(call.poll()).unwrap();
    }
    assert_eq!(backend.called.get(), 3);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_held_where_there_is_no_place() {
    let mut service = hold(&unhealthy(), SECOND, 0).layer(Backend::new(Work::Succeeds));
    assert!(refusal(&call(&mut service).now_or_never().unwrap()).is_some());
}

/// Whether exactly one more call can be held.
fn has_one_place<S>(service: &S) -> bool
where
    S: Service<(), Response = usize, Error = BoxError> + Clone,
{
    let mut held = task::spawn(service.clone().oneshot(()));
    let mut over = task::spawn(service.clone().oneshot(()));
    held.poll().is_pending() && over.poll().is_ready()
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_a_held_call_that_ends_in_any_way_frees_its_place() {
    let health = unhealthy();
    let backend = Backend::new(Work::Succeeds);
    let mut service = hold(&health, SECOND, 1).layer(backend.clone());
    assert!(has_one_place(&service));

    // Cancelled, before its first poll and after it.
    for polls in 0..3 {
        ServiceExt::<()>::ready(&mut service).await.unwrap();
        let mut held = task::spawn(service.call(()));
        for _ in 0..polls {
            assert_pending!(held.poll());
        }
        assert!(!has_one_place(&service), "it is taken");
        drop(held);
        assert!(has_one_place(&service), "cancelled after {polls} polls");
    }

    // At its limit.
    assert!(refusal(&call(&mut service).await).is_some());
    assert!(has_one_place(&service));

    // Let through, while its call goes on; and when that panics.
    for work in [Work::Hangs, Work::PanicsInCall, Work::PanicsInPoll] {
        backend.now(work);
        ServiceExt::<()>::ready(&mut service).await.unwrap();
        let mut held = Box::pin(AssertUnwindSafe(service.call(())).catch_unwind());
        assert!(futures::poll!(&mut held).is_pending());
        rise(&health);
        let panics = matches!(futures::poll!(&mut held), Poll::Ready(Err(_)));
        assert_eq!(panics, !matches!(work, Work::Hangs));
        fall(&health);
        if panics {
            drop(held);
            assert!(has_one_place(&service), "after {work:?}");
        } else {
            assert!(has_one_place(&service), "while {work:?}");
        }
    }
    assert_eq!(backend.called.get(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_held_call_that_is_cancelled_leaves_nothing_behind() {
    let token = Arc::new(());
    let counted = token.clone();
    let inner = tower::service_fn(move |()| {
        let token = counted.clone();
        async move {
            std::future::pending::<()>().await;
            drop(token);
            Ok::<_, BoxError>(())
        }
    });
    let health = unhealthy();
    let mut service = hold(&health, SECOND, 1).layer(inner);
    let before = Arc::strong_count(&token);
    for goes_on in [false, true] {
        let mut held = task::spawn(service.ready().await.unwrap().call(()));
        assert_pending!(held.poll());
        if goes_on {
            rise(&health);
            assert_pending!(held.poll());
        }
        assert!(Arc::strong_count(&token) > before);
        drop(held);
        assert_eq!(Arc::strong_count(&token), before);
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_target_is_well_calls_run_in_place_and_need_no_place_and_no_timer() {
    let health = healthy();
    let backend = Backend::new(Work::Succeeds);
    let mut service = hold(&health, SECOND, 0).layer(backend.clone());
    for n in 0..100 {
        assert_eq!(call(&mut service).now_or_never().unwrap().unwrap(), n);
    }
    assert_eq!((backend.polled.get(), backend.called.get()), (100, 100));
}

#[test]
fn a_call_that_is_not_held_needs_no_runtime() {
    let mut service = hold(&healthy(), SECOND, 1).layer(Backend::new(Work::Succeeds));
    call(&mut service).now_or_never().unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_for_the_inner_service_is_woken_and_held_when_health_falls() {
    let health = healthy();
    let backend = Backend::new(Work::Succeeds);
    backend.readiness(Readiness::Never);
    let mut service = task::spawn(hold(&health, SECOND, 1).layer(backend.clone()));
    assert_pending!(service.enter(|cx, mut service| Service::<()>::poll_ready(&mut *service, cx)));
    fall(&health);
    assert!(service.is_woken());
    let ready = service.enter(|cx, mut service| Service::<()>::poll_ready(&mut *service, cx));
    assert_ready!(ready).unwrap();
    let mut held = task::spawn(service.call(()));
    assert_pending!(held.poll());
    backend.readiness(Readiness::Ready);
    rise(&health);
    assert_ready!(held.poll()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn health_that_falls_between_ready_and_call_holds_the_call() {
    let health = healthy();
    let backend = Backend::new(Work::Succeeds);
    let mut service = hold(&health, SECOND, 1).layer(backend.clone());
    ServiceExt::<()>::ready(&mut service).await.unwrap();
    fall(&health);
    let mut held = task::spawn(service.call(()));
    assert_pending!(held.poll());
    assert_eq!(backend.called.get(), 0);
    rise(&health);
    assert_ready!(held.poll()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn health_that_returns_between_ready_and_call_lets_the_call_pass_on_a_ready_instance() {
    let health = unhealthy();
    let backend = Backend::new(Work::Succeeds);
    let mut service = hold(&health, SECOND, 1).layer(backend.clone());
    ServiceExt::<()>::ready(&mut service).await.unwrap();
    rise(&health);
    service.call(()).now_or_never().expect("nothing to wait for").unwrap();
    assert_eq!((backend.polled.get(), backend.called.get()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn health_that_falls_again_before_the_clone_is_ready_holds_for_what_is_left_of_the_limit() {
    let health = unhealthy();
    let backend = Backend::new(Work::Succeeds);
    backend.readiness(Readiness::Never);
    let service = hold(&health, SECOND, 1).layer(backend.clone());
    let begun = Instant::now();
    let mut held = task::spawn(service.oneshot(()));
    assert_pending!(held.poll());
    advance(SECOND / 2).await;
    rise(&health);
    assert!(held.is_woken());
    assert_pending!(held.poll(), "the inner service is not ready");
    assert_eq!(backend.polled.get(), 1);
    fall(&health);
    assert!(held.is_woken());
    assert_pending!(held.poll());
    let answer = timeout(SECOND, held).await.expect("the limit ends it");
    assert!(refusal(&answer).is_some());
    assert!(begun.elapsed() <= SECOND + 2 * MILLISECOND, "{:?}", begun.elapsed());
    assert_eq!(backend.called.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_limit_is_for_health_and_not_for_the_inner_service() {
    let health = unhealthy();
    let backend = Backend::new(Work::Succeeds);
    backend.readiness(Readiness::Never);
    let service = hold(&health, SECOND, 1).layer(backend.clone());
    let mut held = task::spawn(service.oneshot(()));
    assert_pending!(held.poll());
    rise(&health);
    assert_pending!(held.poll());
    advance(60 * SECOND).await;
    assert_pending!(held.poll());
    backend.readiness(Readiness::Ready);
    assert_ready!(held.poll()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn errors_of_the_clones_readiness_reach_the_caller() {
    let health = unhealthy();
    let backend = Backend::new(Work::Succeeds);
    backend.readiness(Readiness::Fails);
    let mut held = task::spawn(hold(&health, SECOND, 1).layer(backend).oneshot(()));
    assert_pending!(held.poll());
    rise(&health);
    assert_eq!(assert_ready!(held.poll()).unwrap_err().to_string(), "not ready");
}

/// Is never ready before it was polled as often as it has clones before it.
#[derive(Debug)]
struct Reserves {
    ready: bool,
}

impl Clone for Reserves {
    fn clone(&self) -> Self {
        Self { ready: false }
    }
}

impl Service<()> for Reserves {
    type Response = usize;
    type Error = BoxError;
    type Future = std::future::Ready<Result<usize, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called an instance that was not polled ready");
        std::future::ready(Ok(0))
    }
}

#[tokio::test(start_paused = true)]
async fn no_instance_is_called_that_was_not_polled_ready_however_health_changes() {
    let mut held = 0;
    let mut passed = 0;
    for bits in 0..32_u32 {
        let bit = |n: u32| bits & 1 << n != 0;
        let health = if bit(0) { healthy() } else { unhealthy() };
        let set = |up: bool| if up { health.up() } else { health.down("down") };
        let mut service =
            hold(&health, SECOND, usize::from(bit(1))).layer(Reserves { ready: false });
        ServiceExt::<()>::ready(&mut service).await.unwrap();
        set(bit(2));
        let mut future = Box::pin(service.call(()));
        set(bit(3));
        let first = futures::poll!(&mut future);
        set(bit(4));
        match first {
            Poll::Ready(answer) => passed += usize::from(answer.is_ok()),
            Poll::Pending => {
                held += 1;
                passed += usize::from(future.await.is_ok());
            }
        }
    }
    assert!(held >= 4 && passed >= 10, "held={held} passed={passed}");
}

/// Runs a future whose health changes while its inner service is asked whether it is ready.
#[derive(Clone, Debug)]
struct Changes {
    health: Health,
    polls: Count,
}

impl Service<()> for Changes {
    type Response = ();
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // Falls whenever it is asked, until it was asked three times.
        if self.polls.add() < 3 {
            self.health.down("asked");
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test(start_paused = true)]
async fn health_that_falls_before_the_gate_knows_the_held_task_is_seen() {
    let health = unhealthy();
    let inner = Changes { health: health.clone(), polls: Count::default() };
    let mut held = task::spawn(hold(&health, SECOND, 1).layer(inner.clone()).oneshot(()));
    assert_pending!(held.poll());
    for polls in 1..=3 {
        rise(&health);
        assert!(held.is_woken());
        assert_pending!(held.poll());
        assert_eq!((inner.polls.get(), health.grade()), (polls, Grade::Unhealthy));
    }
    rise(&health);
    assert_ready!(held.poll()).unwrap();
}
