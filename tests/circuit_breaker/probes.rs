//! Promise 4: whatever becomes of a probe, its slot is free again; nothing wedges the circuit.

use std::{mem, panic::AssertUnwindSafe};

use futures::{FutureExt, poll};
use tokio::time::{advance, timeout};
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{Service, ServiceExt};
use tower_failover::{
    BoxError, Outcome,
    circuit_breaker::{Circuit, CircuitBreaker, State},
    event::{Cause, History},
};

use crate::{
    FRAGILE, MILLISECOND, SECOND, await_probe,
    backend::{Backend, Readiness, Work},
    call, free_slots, half_opened, refusal, succeed, take_probes,
};

async fn behind_half_open(work: Work) -> (Backend, CircuitBreaker<Backend>) {
    let circuit = half_opened(FRAGILE.probes(2).probe_deadline(5 * SECOND)).await;
    let backend = Backend::new(work);
    (backend.clone(), CircuitBreaker::new(backend, circuit))
}

/// It has all its slots, and one good probe closes it.
async fn assert_recovers(service: &mut CircuitBreaker<Backend>) {
    let circuit = service.guard().clone();
    await_probe(&circuit).await;
    assert_eq!(free_slots(&circuit), 2);
    service.get_mut().now(Work::Succeeds);
    service.get_mut().readiness(Readiness::Ready);
    call(service).await.unwrap();
    assert_eq!(circuit.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn promise_4_a_probe_that_is_cancelled_frees_its_slot() {
    let (backend, mut service) = behind_half_open(Work::Hangs).await;
    for polls in 0..100 {
        let mut probe = Box::pin(service.ready().await.unwrap().call(()));
        for _ in 0..polls {
            assert!(poll!(&mut probe).is_pending());
        }
        assert_eq!(service.guard().snapshot().probes_in_flight, 1);
        drop(probe);
        assert_eq!(service.guard().snapshot().probes_in_flight, 0);
        assert_eq!(free_slots(service.guard()), 2);
    }
    assert_eq!(backend.called.get(), 100);
    assert_recovers(&mut service).await;
}

#[tokio::test(start_paused = true)]
async fn promise_4_a_probe_that_an_outer_timeout_cancels_frees_its_slot() {
    let (backend, mut service) = behind_half_open(Work::Hangs).await;
    for _ in 0..40 {
        assert!(timeout(MILLISECOND, call(&mut service)).await.is_err());
    }
    assert_eq!(backend.called.get(), 40);
    assert_recovers(&mut service).await;
}

#[tokio::test(start_paused = true)]
async fn promise_4_a_probe_that_is_never_polled_frees_its_slot_when_dropped() {
    let (_, mut service) = behind_half_open(Work::Succeeds).await;
    let unpolled =
        [service.ready().await.unwrap().call(()), service.ready().await.unwrap().call(())];
    assert!(refusal(&call(&mut service).await).is_some());
    drop(unpolled);
    assert_recovers(&mut service).await;
}

#[tokio::test(start_paused = true)]
async fn promise_4_a_probe_that_is_never_polled_nor_dropped_frees_its_slot_at_the_deadline() {
    let (_, mut service) = behind_half_open(Work::Succeeds).await;
    for _ in 0..2 {
        mem::forget(service.ready().await.unwrap().call(()));
    }
    assert!(refusal(&call(&mut service).await).is_some());
    advance(5 * SECOND).await;
    assert_eq!(service.guard().state(), State::Open);
    assert_recovers(&mut service).await;
}

#[tokio::test(start_paused = true)]
async fn promise_4_a_probe_that_panics_in_call_frees_its_slot() {
    let (backend, mut service) = behind_half_open(Work::PanicsInCall).await;
    let panicked = AssertUnwindSafe(call(&mut service)).catch_unwind().await;
    assert!(panicked.is_err());
    assert_eq!(backend.called.get(), 1);
    assert_eq!(service.guard().state(), State::Open, "a panic is a failed probe");
    assert_recovers(&mut service).await;
}

#[tokio::test(start_paused = true)]
async fn promise_4_a_probe_that_panics_in_poll_frees_its_slot() {
    let (_, mut service) = behind_half_open(Work::PanicsInPoll).await;
    let mut probe = Box::pin(AssertUnwindSafe(call(&mut service)).catch_unwind());
    assert!(probe.as_mut().await.is_err());
    drop(probe);
    assert_eq!(service.guard().state(), State::Open, "a panic is a failed probe");
    assert_recovers(&mut service).await;
}

#[tokio::test(start_paused = true)]
async fn promise_4_a_probe_whose_classifier_panics_frees_its_slot() {
    let circuit = half_opened(FRAGILE.probes(2)).await;
    let classifier = |_: &Result<usize, BoxError>| -> Outcome { panic!("the classifier panics") };
    let mut service =
        CircuitBreaker::new(Backend::new(Work::Succeeds), circuit.clone()).classify(classifier);
    for _ in 0..10 {
        assert!(AssertUnwindSafe(call(&mut service)).catch_unwind().await.is_err());
        await_probe(&circuit).await;
        assert_eq!(free_slots(&circuit), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn promise_4_a_probe_that_hangs_past_its_deadline_frees_its_slot() {
    let history = History::new(16);
    let circuit = Circuit::builder("backend")
        .policy(FRAGILE.probe_deadline(5 * SECOND))
        .observe(history.clone())
        .build();
    crate::fail(&circuit);
    await_probe(&circuit).await;
    let backend = Backend::new(Work::Hangs);
    let mut service = CircuitBreaker::new(backend.clone(), circuit.clone());
    let mut hung = task::spawn(service.ready().await.unwrap().call(()));
    assert_pending!(hung.poll());

    backend.now(Work::Succeeds);
    advance(5 * SECOND - MILLISECOND).await;
    let refused = call(&mut service).await;
    assert_eq!(refusal(&refused).unwrap().retry_after(), Some(MILLISECOND));
    assert_eq!(circuit.state(), State::HalfOpen);

    advance(MILLISECOND).await;
    assert_eq!(circuit.state(), State::Open);
    assert_eq!(history.transitions().last().unwrap().cause(), Cause::ProbeOverdue);
    advance(SECOND).await;
    call(&mut service).await.unwrap();
    assert_eq!(circuit.state(), State::Closed);
    assert_eq!(backend.called.get(), 2);
    drop(hung);
    assert_eq!(circuit.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn promise_4_one_hung_probe_does_not_hold_up_the_others() {
    let (_, mut service) = behind_half_open(Work::Hangs).await;
    let hung = service.ready().await.unwrap().call(());
    service.get_mut().now(Work::Succeeds);
    call(&mut service).await.unwrap();
    assert_eq!(service.guard().state(), State::Closed);
    advance(60 * SECOND).await;
    drop(hung);
    assert_eq!(service.guard().state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn promise_4_waiting_for_the_inner_service_takes_no_slot() {
    let (backend, mut service) = behind_half_open(Work::Succeeds).await;
    backend.readiness(Readiness::Never);
    let mut clones: Vec<_> = (0..100).map(|_| service.clone()).collect();
    let mut waiting: Vec<_> =
        clones.iter_mut().map(|clone| task::spawn(ServiceExt::<()>::ready(clone))).collect();
    for task in &mut waiting {
        assert_pending!(task.poll());
    }
    assert_eq!(free_slots(service.guard()), 2);
    drop(waiting);
    // Ready, and then nobody calls: no slot either.
    backend.readiness(Readiness::Ready);
    for clone in &mut clones {
        assert_ready_ok!(task::spawn(ServiceExt::<()>::ready(clone)).poll());
    }
    assert_eq!(free_slots(service.guard()), 2);
    assert_recovers(&mut service).await;
}

#[tokio::test(start_paused = true)]
async fn promise_4_probes_of_circuit_call_and_of_bare_permits_free_their_slots() {
    let circuit = half_opened(FRAGILE.probes(2).probe_deadline(5 * SECOND)).await;
    let hang = || circuit.call(std::future::pending::<Result<(), BoxError>>());

    drop(hang());
    assert_eq!(free_slots(&circuit), 2);
    let mut polled = task::spawn(hang());
    assert_pending!(polled.poll());
    assert_eq!(free_slots(&circuit), 1);
    drop(polled);
    assert_eq!(free_slots(&circuit), 2);
    drop(circuit.permit().unwrap());
    assert_eq!(free_slots(&circuit), 2);
    circuit.permit().unwrap().ignore();
    assert_eq!(free_slots(&circuit), 2);

    take_probes(&circuit).into_iter().for_each(mem::forget);
    assert_eq!(free_slots(&circuit), 0);
    advance(5 * SECOND).await;
    assert_eq!(circuit.state(), State::Open);
    advance(SECOND).await;
    assert_eq!(free_slots(&circuit), 2);

    let panics = circuit.call(async { panic!("in a future") as Result<(), BoxError> });
    assert!(AssertUnwindSafe(panics).catch_unwind().await.is_err());
    assert_eq!(circuit.state(), State::Open);
    advance(SECOND).await;
    succeed(&circuit);
    assert_eq!(circuit.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn promise_4_a_success_that_is_older_than_the_window_does_not_wedge_it() {
    use tower_failover::{
        Backoff, Ratio,
        circuit_breaker::{Policy, Rate, Window},
    };
    let rate = Rate::new(Ratio::percent(50), Window::Time(SECOND)).min_calls(1);
    let policy = Policy::rate(rate).open_for(Backoff::fixed(SECOND));
    let circuit = half_opened(policy.probes(2).successes_to_close(2)).await;
    succeed(&circuit);
    advance(30 * SECOND).await;
    succeed(&circuit);
    assert_eq!(circuit.state(), State::Closed);
}
