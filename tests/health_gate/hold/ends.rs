//! Held calls that end: over services that reserve a place, and when a refusal ends by itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    thread,
};

use tokio::time::{Instant, sleep, timeout};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_failover::{
    Backoff, BoxError,
    circuit_breaker::{self, Circuit, CircuitBreakerLayer},
    health::{Grade, Health, Policy},
};

use super::hold;
use crate::{
    MILLISECOND, SECOND,
    backend::{Backend, Count, Work},
    fall, healthy, rise, unhealthy,
};

#[tokio::test(start_paused = true)]
async fn health_promise_4_held_calls_over_a_concurrency_limit_end() {
    for clients in [1, 100] {
        let health = healthy();
        let service = ServiceBuilder::new()
            .layer(hold(&health, SECOND, 1_000))
            .concurrency_limit(clients)
            .service(Backend::new(Work::Succeeds));
        let mut clients: Vec<_> = (0..clients).map(|_| service.clone()).collect();
        for client in &mut clients {
            ServiceExt::<()>::ready(client).await.unwrap();
        }
        fall(&health);
        let calls = futures::future::join_all(clients.iter_mut().map(|client| client.call(())));
        let back = async {
            sleep(SECOND / 2).await;
            rise(&health);
        };
        let both = async { tokio::join!(calls, back).0 };
        let answers = timeout(3_600 * SECOND, both).await.expect("an hour later they still wait");
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_a_held_call_over_a_buffer_ends() {
    let health = healthy();
    let inner = service_fn(async |(): ()| Ok::<_, BoxError>(()));
    let mut service = hold(&health, SECOND, 1).layer(tower::buffer::Buffer::new(inner, 1));
    service.ready().await.unwrap();
    fall(&health);
    let call = service.call(());
    let back = async {
        sleep(SECOND / 2).await;
        rise(&health);
    };
    let both = async { tokio::join!(call, back).0 };
    timeout(3_600 * SECOND, both).await.expect("an hour later it still waits").unwrap();
}

fn opens(health: &Health) -> Circuit {
    let open_for = Backoff::fixed(2 * SECOND);
    let policy = circuit_breaker::Policy::consecutive(1).open_for(open_for);
    let circuit = Circuit::builder("c").policy(policy).observe(health.signals()).build();
    circuit.permit().unwrap().failure();
    assert_eq!(health.grade(), Grade::Unhealthy);
    circuit
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_a_held_call_goes_on_when_the_refusal_ends_by_itself() {
    let health = healthy();
    let circuit = opens(&health);
    let service = ServiceBuilder::new()
        .layer(hold(&health, 3_600 * SECOND, 10))
        .layer(CircuitBreakerLayer::new(circuit.clone()))
        .service(Backend::new(Work::Succeeds));
    let begun = Instant::now();
    service.oneshot(()).await.unwrap();
    let waited = begun.elapsed();
    assert!(waited >= 2 * SECOND && waited <= 2 * SECOND + 2 * MILLISECOND, "{waited:?}");
    assert_eq!(health.grade(), Grade::Healthy);
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_a_held_call_hears_of_an_end_that_is_set_while_it_waits() {
    let health = healthy();
    for _ in 0..3 {
        health.failed("refused");
    }
    let service = hold(&health, 3_600 * SECOND, 10).layer(Backend::new(Work::Succeeds));
    let begun = Instant::now();
    let held = tokio::spawn(service.oneshot(()));
    sleep(SECOND).await;
    let _circuit = opens(&health);
    timeout(10 * SECOND, held).await.expect("nobody told it").unwrap().unwrap();
    assert!(begun.elapsed() <= 3 * SECOND + 2 * MILLISECOND, "{:?}", begun.elapsed());
}

/// Found out to be unhealthy while it is asked for the first time, and ready all the same.
#[derive(Clone, Debug)]
struct FoundOut {
    health: Health,
    polls: Count,
}

impl Service<()> for FoundOut {
    type Response = ();
    type Error = BoxError;
    type Future = std::future::Ready<Result<(), BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.polls.add() == 0 {
            self.health.down("found out");
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        std::future::ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_health_that_falls_while_a_ready_clone_is_asked_is_waited_for() {
    let health = unhealthy();
    let inner = FoundOut { health: health.clone(), polls: Count::default() };
    let call = tokio::spawn(hold(&health, 60 * SECOND, 1).layer(inner.clone()).oneshot(()));
    sleep(SECOND).await;
    rise(&health);
    sleep(SECOND).await;
    assert_eq!((call.is_finished(), inner.polls.get()), (false, 1));
    rise(&health);
    call.await.unwrap().unwrap();
}

#[test]
fn health_promise_4_a_call_that_has_a_place_and_time_is_not_refused() {
    const CALLS: usize = 50_000;
    let health = Health::builder("flips").policy(Policy::new().fall(1).rise(1)).build();
    health.up();
    let (done, flips) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (flipped, stop, count) = (health.clone(), done.clone(), flips.clone());
    let flipper = thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            flipped.down("flip");
            flipped.up();
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let refused = runtime.block_on(async {
        let service = hold(&health, 3_600 * SECOND, 1_000).layer(Backend::new(Work::Succeeds));
        let mut refused = 0;
        for _ in 0..CALLS {
            refused += u32::from(service.clone().oneshot(()).await.is_err());
        }
        refused
    });
    done.store(true, Ordering::Relaxed);
    flipper.join().unwrap();
    assert_eq!(refused, 0);
    assert!(flips.load(Ordering::Relaxed) > 100, "health did not change meanwhile");
}
