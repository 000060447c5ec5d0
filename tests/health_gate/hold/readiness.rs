//! Health that changes while calls are made, and the instances that they are made on.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures::FutureExt;
use tokio::time::{Instant, advance, timeout};
use tokio_test::{assert_pending, assert_ready, task};
use tower::{Layer, Service, ServiceExt};
use tower_failover::{
    BoxError,
    health::{Grade, Health},
};

use super::hold;
use crate::{
    MILLISECOND, SECOND,
    backend::{Backend, Count, Readiness, Work},
    fall, healthy, refusal, rise, unhealthy,
};

#[tokio::test(start_paused = true)]
async fn health_promise_4_a_task_that_waits_for_the_inner_service_is_woken_and_held_when_health_falls()
 {
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
async fn health_promise_4_health_that_falls_between_ready_and_call_holds_the_call() {
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
async fn health_promise_4_health_that_returns_between_ready_and_call_lets_the_call_pass_on_a_ready_instance()
 {
    let health = unhealthy();
    let backend = Backend::new(Work::Succeeds);
    let mut service = hold(&health, SECOND, 1).layer(backend.clone());
    ServiceExt::<()>::ready(&mut service).await.unwrap();
    rise(&health);
    service.call(()).now_or_never().expect("nothing to wait for").unwrap();
    assert_eq!((backend.polled.get(), backend.called.get()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_health_that_falls_again_before_the_clone_is_ready_holds_for_what_is_left_of_the_limit()
 {
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

/// Answers where it was polled ready, and panics where it was not.
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

/// A target whose health falls while it is asked whether it is ready, three times.
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
async fn health_promise_4_health_that_falls_before_the_gate_knows_the_held_task_is_seen() {
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
