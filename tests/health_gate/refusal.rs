//! Who is refused, how, and what the inner service hears of it.

use std::{
    convert::Infallible,
    error::Error,
    fmt,
    pin::pin,
    task::{Context, Poll, Waker},
    thread,
};

use tokio::time::{advance, timeout};
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_failover::{
    BoxError, Ratio,
    circuit_breaker::{self, Circuit, CircuitBreakerLayer},
    health::{Grade, Health, HealthGate, HealthGateLayer, Policy, Unhealthy},
};
use tower_test::mock;

use crate::{
    MILLISECOND, NAME, SECOND,
    backend::{Backend, Readiness, Work},
    call, fall, healthy, refusal, rise, unhealthy,
};

#[tokio::test(start_paused = true)]
async fn health_promise_4_an_unhealthy_target_is_neither_polled_nor_called() {
    let health = unhealthy();
    let backend = Backend::new(Work::Succeeds);
    backend.readiness(Readiness::Never);
    let mut service = HealthGateLayer::new(health.clone()).layer(backend.clone());
    for _ in 0..1_000 {
        // Ready at the first poll: who refuses does not wait for who is not called.
        let mut call = task::spawn(call(&mut service));
        let Poll::Ready(answer) = call.poll() else { panic!("an unhealthy target was waited for") };
        assert!(refusal(&answer).is_some());
    }
    assert_eq!((backend.polled.get(), backend.called.get()), (0, 0));

    backend.readiness(Readiness::Ready);
    rise(&health);
    assert_eq!(call(&mut service).await.unwrap(), 0);
    assert_eq!((backend.polled.get(), backend.called.get()), (1, 1));
}

#[test]
fn health_promise_4_refusing_needs_no_timer_and_no_runtime() {
    assert!(tokio::runtime::Handle::try_current().is_err());
    let health = unhealthy();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let backend = Backend::new(Work::Succeeds);
                let mut service = HealthGateLayer::new(health.clone()).layer(backend.clone());
                let mut cx = Context::from_waker(Waker::noop());
                for _ in 0..1_000 {
                    assert!(Service::<()>::poll_ready(&mut service, &mut cx).is_ready());
                    let Poll::Ready(answer) = pin!(service.call(())).poll(&mut cx) else {
                        panic!("an unhealthy target was waited for")
                    };
                    assert!(refusal(&answer).is_some());
                }
                assert_eq!((backend.polled.get(), backend.called.get()), (0, 0));
            });
        }
    });
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_the_error_says_which_target_since_when_and_why() {
    let health = healthy();
    let mut service = HealthGateLayer::new(health.clone()).layer(Backend::new(Work::Succeeds));
    fall(&health);
    for seconds in 0..3 {
        let answer = call(&mut service).await;
        let unhealthy = refusal(&answer).unwrap();
        assert_eq!(unhealthy.target(), NAME);
        assert_eq!(unhealthy.since(), seconds * SECOND);
        assert_eq!(unhealthy.reason(), "the disk is full");
        assert_eq!(unhealthy.retry_after(), None, "nobody looks for its return");
        let text = unhealthy.to_string();
        assert!(text.contains(NAME) && text.contains("the disk is full"), "{text}");
        advance(SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_the_error_says_when_to_come_back_and_that_is_the_earliest() {
    let policy = Policy::new()
        .interval(SECOND)
        .timeout(100 * MILLISECOND)
        .jitter(Ratio::percent(0))
        .fall(1)
        .rise(3);
    let up = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let probe = {
        let up = up.clone();
        move || {
            let up = up.load(std::sync::atomic::Ordering::SeqCst);
            std::future::ready(if up { Ok(()) } else { Err(BoxError::from("refused")) })
        }
    };
    let (health, monitor) = Health::builder(NAME).policy(policy).probe(probe).monitor();
    tokio::spawn(monitor);
    advance(50 * MILLISECOND).await;
    tokio::task::yield_now().await;
    assert_eq!(health.grade(), Grade::Unhealthy, "the first check decides");

    let mut service = HealthGateLayer::new(health.clone()).layer(Backend::new(Work::Succeeds));
    up.store(true, std::sync::atomic::Ordering::SeqCst);
    let answer = call(&mut service).await;
    let unhealthy = refusal(&answer).unwrap();
    assert_eq!(unhealthy.reason(), "refused");
    let wait = unhealthy.retry_after().unwrap();
    assert!(wait > 2 * SECOND && wait <= 3 * SECOND, "three good checks from now: {wait:?}");

    let asked = tokio::time::Instant::now();
    health.wait_until_healthy().await;
    let back = asked.elapsed();
    // Since timers fire late, the monitor sets each of the three up to 2 ms early.
    assert!(back + 6 * MILLISECOND >= wait && back <= wait + MILLISECOND, "{back:?}, {wait:?}");
    call(&mut service).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_a_task_that_waits_for_the_inner_service_is_woken_when_health_falls() {
    let fails: [fn(&Health); 3] = [
        fall,
        |health| {
            for _ in 0..3 {
                health.failed("refused");
            }
        },
        |health| {
            // A circuit that tells this health.
            let policy = circuit_breaker::Policy::consecutive(1);
            let signals = health.signals();
            let circuit = Circuit::builder("circuit").policy(policy).observe(signals).build();
            circuit.permit().unwrap().failure();
        },
    ];
    for fails in fails {
        let health = healthy();
        let (mut service, mut handle) =
            mock::spawn_layer::<(), (), _>(HealthGateLayer::new(health.clone()));
        handle.allow(0);
        assert_pending!(service.poll_ready());
        assert!(!service.is_woken());
        fails(&health);
        assert!(service.is_woken(), "nobody told the waiting task");
        assert_ready_ok!(service.poll_ready());
        assert!(refusal(&service.call(()).await).is_some());
        assert!(handle.poll_request().is_pending());
    }
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_a_thousand_waiting_tasks_are_all_woken_and_refused() {
    let health = healthy();
    let backend = Backend::new(Work::Succeeds);
    backend.readiness(Readiness::Never);
    let service = HealthGateLayer::new(health.clone()).layer(backend.clone());
    let waiting: Vec<_> = (0..1_000).map(|_| tokio::spawn(service.clone().oneshot(()))).collect();
    while backend.polled.get() < 1_000 {
        tokio::task::yield_now().await;
    }
    fall(&health);
    for task in waiting {
        let answer = timeout(SECOND / 2, task).await.expect("nobody told a waiting task");
        assert!(refusal(&answer.unwrap()).is_some());
    }
    assert_eq!((backend.polled.get(), backend.called.get()), (1_000, 0));
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_health_that_falls_between_ready_and_call_refuses_and_what_was_decided_is_not_sticky()
 {
    let health = healthy();
    let backend = Backend::new(Work::Succeeds);
    let mut service = HealthGateLayer::new(health.clone()).layer(backend.clone());
    ServiceExt::<()>::ready(&mut service).await.unwrap();
    fall(&health);
    assert!(refusal(&service.call(()).await).is_some());
    assert_eq!(backend.called.get(), 0);

    ServiceExt::<()>::ready(&mut service).await.unwrap();
    rise(&health);
    // The inner service was not polled by the last `ready`: to call it now would break the contract.
    assert!(refusal(&service.call(()).await).is_some());
    assert_eq!(backend.called.get(), 0);
    call(&mut service).await.unwrap();
    assert_eq!(backend.called.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_degraded_target_is_called() {
    let health = Health::builder(NAME).policy(Policy::new().slow_margin(MILLISECOND)).build();
    for _ in 0..20 {
        health.succeeded(MILLISECOND);
        advance(SECOND).await;
    }
    for _ in 0..20 {
        health.succeeded(100 * MILLISECOND);
        advance(SECOND).await;
    }
    assert_eq!(health.grade(), Grade::Degraded);
    call(&mut HealthGateLayer::new(health).layer(Backend::new(Work::Succeeds))).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn errors_and_panics_of_the_inner_service_say_nothing_to_the_health() {
    for work in [Work::Fails, Work::PanicsInCall, Work::PanicsInPoll, Work::Hangs] {
        let health = healthy();
        let backend = Backend::new(work);
        let mut service = HealthGateLayer::new(health.clone()).layer(backend.clone());
        for _ in 0..10 {
            let call = std::panic::AssertUnwindSafe(timeout(SECOND, call(&mut service)));
            let answer = futures::FutureExt::catch_unwind(call).await;
            assert!(!matches!(answer, Ok(Ok(Ok(_)))), "{work:?}");
        }
        assert_eq!((backend.called.get(), health.grade()), (10, Grade::Healthy), "{work:?}");
    }
    let health = healthy();
    let backend = Backend::new(Work::Succeeds);
    backend.readiness(Readiness::Fails);
    let mut service = HealthGateLayer::new(health.clone()).layer(backend.clone());
    assert_eq!(call(&mut service).await.unwrap_err().to_string(), "not ready");
    assert_eq!(health.grade(), Grade::Healthy);
}

#[tokio::test(start_paused = true)]
async fn a_circuit_below_tells_the_health_above_it() {
    let health = healthy();
    let circuit = Circuit::builder("circuit").observe(health.signals()).build();
    let backend = Backend::new(Work::Fails);
    let mut service = tower::ServiceBuilder::new()
        .layer(HealthGateLayer::new(health.clone()))
        .layer(CircuitBreakerLayer::new(circuit))
        .service(backend.clone());
    for n in 0..20 {
        let answer = call(&mut service).await;
        assert_eq!(refusal(&answer).is_some(), n >= 5, "call {n}");
    }
    assert_eq!(backend.called.get(), 5);
}

#[derive(Debug)]
struct Wrapped(BoxError);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wrapped")
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

#[tokio::test(start_paused = true)]
async fn the_refusal_is_found_among_the_sources_of_an_error() {
    let inner = service_fn(async |()| Ok::<_, Infallible>(()));
    let error = HealthGate::new(inner, unhealthy()).oneshot(()).await.unwrap_err();
    let error = Wrapped(Wrapped(error).into());
    assert_eq!(Unhealthy::find(&error).unwrap().target(), NAME);
    assert!(Unhealthy::find(&Wrapped("down".into())).is_none());
}
