//! Promise 8: `Open` says which circuit, and how long until the next probe, in every mode.

use std::{
    error::Error,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::advance;
use tower::{Layer, Service, ServiceExt};
use tower_failover::{
    BoxError,
    circuit_breaker::{CallError, Circuit, CircuitBreaker, CircuitBreakerLayer, Open},
    event::Event,
};

use crate::{
    FRAGILE, MILLISECOND, SECOND,
    backend::{Backend, Work},
    call, circuit, fail, half_opened, refusal, succeed, take_probes,
};

/// The refusal as every kind of caller sees it.
async fn refusals(circuit: &Circuit) -> [Open; 3] {
    let mut service = CircuitBreaker::new(Backend::new(Work::Succeeds), circuit.clone());
    let by_service = refusal(&call(&mut service).await).expect("refused").clone();
    let by_permit = circuit.permit().unwrap_err();
    let by_call = match circuit.call(async { Ok::<_, BoxError>(()) }).await {
        Err(CallError::Open(open)) => open,
        other => panic!("{other:?}"),
    };
    [by_service, by_permit, by_call]
}

async fn assert_says(circuit: &Circuit, wait: Option<Duration>) {
    for open in refusals(circuit).await {
        assert_eq!(open.circuit(), "backend");
        assert_eq!(open.retry_after(), wait);
        let text = open.to_string();
        assert!(text.contains("backend"), "{text}");
        if let Some(wait) = wait {
            assert!(text.contains(&format!("{wait:?}")), "{text}");
        }
        assert!(format!("{open:?}").contains("backend"));
    }
    assert_eq!(circuit.retry_after(), wait);
    assert_eq!(circuit.snapshot().retry_after, wait);
}

#[tokio::test(start_paused = true)]
async fn promise_8_open_says_how_long_and_the_time_runs() {
    let circuit = circuit(FRAGILE);
    fail(&circuit);
    let open = circuit.permit().unwrap_err();
    for left in (1..=10).rev() {
        assert_says(&circuit, Some(100 * left * MILLISECOND)).await;
        assert_eq!(open.retry_after(), Some(100 * left * MILLISECOND), "counted from now");
        advance(100 * MILLISECOND).await;
    }
    assert_eq!(open.retry_after(), Some(Duration::ZERO));
    assert_eq!(circuit.retry_after(), Some(Duration::ZERO));
    succeed(&circuit);
}

#[tokio::test(start_paused = true)]
async fn promise_8_who_waits_as_long_as_told_is_let_through() {
    // The odd times are those that a clock of milliseconds would get wrong.
    for nanos in [1, 999_999, 1_000_001, 19_999_999, 20_000_001, 1_234_567_891] {
        let circuit =
            circuit(FRAGILE.open_for(tower_failover::Backoff::fixed(Duration::from_nanos(nanos))));
        fail(&circuit);
        let wait = circuit.permit().unwrap_err().retry_after().unwrap();
        tokio::time::sleep(wait).await;
        assert!(circuit.permit().is_ok(), "after {nanos} ns");
    }
}

#[tokio::test(start_paused = true)]
async fn promise_8_half_open_says_when_the_next_slot_is_free_at_the_latest() {
    let circuit = half_opened(FRAGILE.probes(2).probe_deadline(5 * SECOND)).await;
    let _first = circuit.permit().unwrap();
    advance(SECOND).await;
    let _second = circuit.permit().unwrap();
    assert_says(&circuit, Some(4 * SECOND)).await;
    advance(3 * SECOND).await;
    assert_says(&circuit, Some(SECOND)).await;
}

#[tokio::test(start_paused = true)]
async fn promise_8_after_an_overdue_probe_it_says_the_new_open_time() {
    let circuit = half_opened(FRAGILE.probe_deadline(5 * SECOND)).await;
    let _probes = take_probes(&circuit);
    advance(5 * SECOND).await;
    assert_says(&circuit, Some(SECOND)).await;
}

#[tokio::test(start_paused = true)]
async fn promise_8_forced_open_says_its_end_or_that_it_waits_for_a_hand() {
    let circuit = circuit(FRAGILE);
    circuit.force_open_for(5 * SECOND);
    assert_says(&circuit, Some(5 * SECOND)).await;
    circuit.force_open();
    assert_says(&circuit, None).await;
    assert!(circuit.permit().unwrap_err().to_string().contains("by hand"));
}

#[tokio::test(start_paused = true)]
async fn promise_8_the_ramp_says_when_it_ends() {
    let circuit = half_opened(FRAGILE.ramp_for(10 * SECOND)).await;
    succeed(&circuit);
    let open = std::iter::repeat_with(|| circuit.permit()).take(100).find_map(Result::err).unwrap();
    assert_eq!((open.circuit(), open.retry_after()), ("backend", Some(10 * SECOND)));
}

#[tokio::test(start_paused = true)]
async fn promise_8_the_event_of_a_refusal_says_what_its_error_says() {
    let (told, heard) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let tell = told.clone();
    let circuit = Circuit::builder("backend")
        .policy(FRAGILE.ramp_for(10 * SECOND))
        .observe(move |event: &Event<'_>| {
            if let Event::Refused { retry_after, .. } = event {
                tell.lock().unwrap().push(*retry_after);
            }
        })
        .build();
    let mut service = CircuitBreakerLayer::new(circuit.clone())
        .layer(tower::service_fn(async |()| Ok::<_, BoxError>(())));
    let mut refusals = async || {
        for _ in 0..20 {
            if let Err(error) = service.ready().await.unwrap().call(()).await {
                let open = error.downcast_ref::<Open>().unwrap();
                heard.lock().unwrap().push(open.retry_after());
            }
        }
    };
    fail(&circuit);
    refusals().await;
    advance(SECOND).await;
    succeed(&circuit);
    refusals().await;
    circuit.force_open();
    refusals().await;
    let (told, heard) = (told.lock().unwrap(), heard.lock().unwrap());
    assert_eq!(*told, *heard);
    for expected in [Some(SECOND), Some(10 * SECOND), None] {
        assert!(heard.contains(&expected), "{expected:?} in {heard:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn promise_8_the_error_is_found_by_downcast_and_as_a_source() {
    let circuit = circuit(FRAGILE);
    fail(&circuit);
    let error: BoxError =
        circuit.call(async { Ok::<_, std::io::Error>(()) }).await.unwrap_err().into();
    assert!(error.to_string().contains("backend"));
    assert!(error.source().unwrap().is::<Open>());
    let inner: CallError<std::io::Error> = CallError::Inner(std::io::Error::other("down"));
    assert_eq!(inner.to_string(), "down");
    assert!(inner.source().unwrap().is::<std::io::Error>());
}

#[tokio::test(start_paused = true)]
async fn promise_8_names_that_are_made_at_run_time_are_kept() {
    for n in 0..100 {
        let circuit = Circuit::builder(format!("tenant {n}")).policy(FRAGILE).build();
        fail(&circuit);
        assert_eq!(circuit.name(), format!("tenant {n}"));
        let open = circuit.permit().unwrap_err();
        drop(circuit);
        assert_eq!(open.circuit(), format!("tenant {n}"), "a refusal outlives its circuit");
    }
}

// An optimised build reads a cached clock, which is wrong here for a tick of the kernel.
#[cfg(debug_assertions)]
#[test]
fn promise_8_time_that_stands_still_or_jumps_is_seen_at_once() {
    // Time is read on this thread while it runs, and just afterwards while it is paused.
    let run = |paused, work: &dyn Fn() -> Circuit| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(paused)
            .build()
            .unwrap();
        runtime.block_on(async {
            let circuit = work();
            if paused {
                advance(SECOND).await;
                assert!(circuit.permit().is_ok(), "its open time is over");
            }
        });
    };
    for _ in 0..50 {
        let open = || {
            let circuit = circuit(FRAGILE);
            fail(&circuit);
            circuit.permit().unwrap_err();
            circuit
        };
        run(false, &open);
        run(true, &open);
    }
}
