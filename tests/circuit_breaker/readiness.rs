//! Promise 7: readiness errors count; an open circuit leaves the inner service alone.

use std::{
    future::Ready,
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll, Waker},
    thread,
};

use tokio::time::{advance, timeout};
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{Service, ServiceExt};
use tower_failover::{
    BoxError, Outcome,
    circuit_breaker::{CallError, Circuit, CircuitBreaker, CircuitBreakerLayer, Policy, State},
};
use tower_test::mock;

use crate::{
    FRAGILE, SECOND,
    backend::{Backend, Readiness, Work},
    call, circuit, fail, half_opened, refusal, succeed, take_probes,
};

#[tokio::test(start_paused = true)]
async fn promise_7_errors_of_the_inner_poll_ready_count() {
    let circuit = circuit(Policy::consecutive(5));
    let backend = Backend::new(Work::Succeeds);
    backend.readiness(Readiness::Fails);
    let mut service = CircuitBreaker::new(backend.clone(), circuit.clone());
    for n in 0..1_000 {
        let error = call(&mut service).await.unwrap_err();
        assert_eq!(error.is::<tower_failover::circuit_breaker::Open>(), n >= 5);
    }
    assert_eq!((backend.polled.get(), backend.called.get()), (5, 0));
    assert_eq!(circuit.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn promise_7_a_readiness_error_in_half_open_opens_it_again() {
    let circuit = half_opened(FRAGILE).await;
    let backend = Backend::new(Work::Succeeds);
    backend.readiness(Readiness::Fails);
    let mut service = CircuitBreaker::new(backend.clone(), circuit.clone());
    let error = call(&mut service).await.unwrap_err();
    assert_eq!(error.to_string(), "not ready", "the caller gets the inner error");
    assert!(circuit.permit().is_err(), "that was the probe");
    assert_eq!(circuit.state(), State::Open);
    advance(SECOND).await;
    backend.readiness(Readiness::Ready);
    call(&mut service).await.unwrap();
    assert_eq!(circuit.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn promise_7_the_classifier_judges_readiness_errors_too() {
    let circuit = circuit(FRAGILE);
    let backend = Backend::new(Work::Succeeds);
    backend.readiness(Readiness::Fails);
    let ignore = |result: &Result<usize, BoxError>| match result {
        Ok(_) => Outcome::Success,
        Err(_) => Outcome::Ignored,
    };
    let mut service = CircuitBreaker::new(backend, circuit.clone()).classify(ignore);
    for _ in 0..100 {
        assert_eq!(call(&mut service).await.unwrap_err().to_string(), "not ready");
    }
    assert_eq!(circuit.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn promise_7_an_open_circuit_never_polls_the_inner_service() {
    let circuit = circuit(FRAGILE);
    let backend = Backend::new(Work::Succeeds);
    backend.readiness(Readiness::Never);
    fail(&circuit);
    let mut service = CircuitBreaker::new(backend.clone(), circuit);
    for _ in 0..1_000 {
        // Ready at the first poll: who refuses does not wait for who is not called.
        let mut call = task::spawn(call(&mut service));
        let Poll::Ready(answer) = call.poll() else { panic!("an open circuit waited") };
        assert!(refusal(&answer).is_some());
    }
    assert_eq!((backend.polled.get(), backend.called.get()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn promise_7_nor_does_a_half_open_one_that_has_its_probes() {
    let circuit = half_opened(FRAGILE).await;
    let _probes = take_probes(&circuit);
    let backend = Backend::new(Work::Succeeds);
    backend.readiness(Readiness::Never);
    let mut service = CircuitBreaker::new(backend.clone(), circuit);
    let mut call = task::spawn(call(&mut service));
    assert!(matches!(call.poll(), Poll::Ready(Err(_))));
    assert_eq!(backend.polled.get(), 0);
}

#[test]
fn promise_7_refusing_needs_no_timer_and_no_runtime() {
    assert!(tokio::runtime::Handle::try_current().is_err());
    let circuit = Circuit::builder("backend").policy(FRAGILE).build();
    fail(&circuit);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let backend = Backend::new(Work::Succeeds);
                let mut service = CircuitBreaker::new(backend.clone(), circuit.clone());
                let mut cx = Context::from_waker(Waker::noop());
                for _ in 0..1_000 {
                    assert!(Service::<()>::poll_ready(&mut service, &mut cx).is_ready());
                    let Poll::Ready(answer) = pin!(service.call(())).poll(&mut cx) else {
                        panic!("an open circuit waited")
                    };
                    assert!(refusal(&answer).unwrap().retry_after().unwrap() <= SECOND);
                    let future = pin!(circuit.call(async { Ok::<_, BoxError>(()) }));
                    assert!(matches!(future.poll(&mut cx), Poll::Ready(Err(CallError::Open(_)))));
                    circuit.permit().unwrap_err();
                }
                assert_eq!((backend.polled.get(), backend.called.get()), (0, 0));
            });
        }
    });
}

#[test]
fn promise_7_the_whole_cycle_needs_no_runtime() {
    let policy = FRAGILE.open_for(tower_failover::Backoff::fixed(crate::MILLISECOND));
    let circuit = circuit(policy);
    fail(&circuit);
    assert_eq!(circuit.state(), State::Open);
    while circuit.permit().map(|probe| probe.success()).is_err() {
        thread::yield_now();
    }
    assert_eq!(circuit.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn promise_7_a_task_that_waits_for_the_inner_service_is_woken_when_the_gate_shuts() {
    let shut: [fn(&Circuit); 3] = [fail, Circuit::force_open, |circuit| {
        circuit.force_open_for(SECOND);
    }];
    for shut in shut {
        let circuit = circuit(FRAGILE);
        let (mut service, mut handle) =
            mock::spawn_layer::<(), (), _>(CircuitBreakerLayer::new(circuit.clone()));
        handle.allow(0);
        assert_pending!(service.poll_ready());
        assert!(!service.is_woken());
        shut(&circuit);
        assert!(service.is_woken(), "nobody told the waiting task");
        assert_ready_ok!(service.poll_ready());
        assert!(refusal(&service.call(()).await).is_some());
        assert!(handle.poll_request().is_pending());
    }
}

#[tokio::test(start_paused = true)]
async fn promise_7_a_task_that_waits_is_woken_when_the_last_probe_is_taken() {
    let circuit = half_opened(FRAGILE.probes(2)).await;
    let (mut service, mut handle) =
        mock::spawn_layer::<(), (), _>(CircuitBreakerLayer::new(circuit.clone()));
    handle.allow(0);
    assert_pending!(service.poll_ready());
    let first = circuit.permit().unwrap();
    assert!(!service.is_woken());
    // Fewer probes by new settings, or one more that is taken: either way there is none left.
    circuit.set_policy(FRAGILE.probes(1)).unwrap();
    assert!(service.is_woken(), "shut by new settings");
    assert_ready_ok!(service.poll_ready());
    first.ignore();

    let (mut service, mut handle) =
        mock::spawn_layer::<(), (), _>(CircuitBreakerLayer::new(circuit.clone()));
    handle.allow(0);
    assert_pending!(service.poll_ready());
    let _last = circuit.permit().unwrap();
    assert!(service.is_woken());
    assert_ready_ok!(service.poll_ready());
}

#[tokio::test(start_paused = true)]
async fn promise_7_a_gate_that_shuts_before_it_knows_the_task_that_waits_is_looked_at_again() {
    /// Is never ready, and its circuit is forced open while it says so.
    struct Shuts(Circuit);

    impl Service<()> for Shuts {
        type Response = ();
        type Error = BoxError;
        type Future = Ready<Result<(), BoxError>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            self.0.force_open();
            Poll::Pending
        }

        fn call(&mut self, (): ()) -> Self::Future {
            unreachable!("it is never ready")
        }
    }

    let circuit = circuit(FRAGILE);
    let gate = CircuitBreaker::new(Shuts(circuit.clone()), circuit);
    let mut service = task::spawn(gate);
    let poll = service.enter(|cx, mut gate| gate.poll_ready(cx));
    assert_ready_ok!(poll);
    let answer = service.call(()).await;
    assert!(refusal(&answer).is_some());
}

#[tokio::test(start_paused = true)]
async fn promise_7_a_thousand_waiting_tasks_are_all_woken_and_refused() {
    let circuit = circuit(FRAGILE);
    let backend = Backend::new(Work::Succeeds);
    backend.readiness(Readiness::Never);
    let service = CircuitBreaker::new(backend.clone(), circuit.clone());
    let waiting: Vec<_> = (0..1_000).map(|_| tokio::spawn(service.clone().oneshot(()))).collect();
    while backend.polled.get() < 1_000 {
        tokio::task::yield_now().await;
    }
    fail(&circuit);
    for task in waiting {
        let answer = timeout(SECOND / 2, task).await.expect("nobody told a waiting task");
        assert!(refusal(&answer.unwrap()).is_some());
    }
    assert_eq!((backend.polled.get(), backend.called.get()), (1_000, 0));
}

#[tokio::test(start_paused = true)]
async fn promise_7_a_refusal_is_not_sticky() {
    let circuit = circuit(FRAGILE);
    let backend = Backend::new(Work::Succeeds);
    let mut service = CircuitBreaker::new(backend.clone(), circuit.clone());
    fail(&circuit);
    ServiceExt::<()>::ready(&mut service).await.unwrap();
    circuit.reset();
    for _ in 0..3 {
        ServiceExt::<()>::ready(&mut service).await.unwrap();
    }
    service.call(()).await.expect("the circuit closed before the last `ready`");

    fail(&circuit);
    assert!(refusal(&call(&mut service).await).is_some());
    advance(SECOND).await;
    call(&mut service).await.expect("half-open lets a probe through");
    assert_eq!(backend.called.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn promise_7_what_poll_ready_decided_call_does() {
    let circuit = circuit(FRAGILE);
    let backend = Backend::new(Work::Succeeds);
    backend.readiness(Readiness::Never);
    let mut service = CircuitBreaker::new(backend.clone(), circuit.clone());
    fail(&circuit);
    ServiceExt::<()>::ready(&mut service).await.unwrap();
    circuit.reset();
    // The inner service was never ready: to call it now would break Tower's contract.
    assert!(refusal(&service.call(()).await).is_some());
    assert_eq!(backend.called.get(), 0);
    // And a clone has decided nothing.
    fail(&circuit);
    ServiceExt::<()>::ready(&mut service).await.unwrap();
    circuit.reset();
    backend.readiness(Readiness::Ready);
    call(&mut service.clone()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn promise_7_a_circuit_that_opens_between_ready_and_call_refuses() {
    let circuit = circuit(FRAGILE);
    let backend = Backend::new(Work::Succeeds);
    let mut service = CircuitBreaker::new(backend.clone(), circuit.clone());
    ServiceExt::<()>::ready(&mut service).await.unwrap();
    fail(&circuit);
    assert!(refusal(&service.call(()).await).is_some());
    assert_eq!(backend.called.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn promise_7_an_open_circuit_does_not_poll_a_future_without_tower() {
    let circuit = circuit(FRAGILE);
    let polled = AtomicBool::new(false);
    let touch = || async {
        polled.store(true, Ordering::SeqCst);
        Ok::<_, BoxError>(())
    };
    fail(&circuit);
    assert!(matches!(circuit.call(touch()).await, Err(CallError::Open(_))));
    assert!(!polled.load(Ordering::SeqCst));
    advance(SECOND).await;
    circuit.call(touch()).await.unwrap();
    assert!(polled.load(Ordering::SeqCst));
    succeed(&circuit);
}
