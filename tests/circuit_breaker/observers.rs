//! Promise 10, second half: when observers are called, and that they can do no harm.

use std::{
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};

use tokio::time::advance;
use tower_failover::{
    Backoff,
    circuit_breaker::{Circuit, CircuitBreaker, Permit, Policy, State},
    event::{Cause, Event, History, Observer},
};

use crate::{
    FRAGILE, SECOND, await_probe,
    backend::{Backend, Work},
    call, fail, succeed, watched,
};

type Shared = Arc<OnceLock<Circuit>>;

/// A circuit whose observer may use it.
fn observed(act: impl Fn(&Circuit, &Event<'_>) + Send + Sync + 'static) -> (Circuit, History) {
    let history = History::new(1_000);
    let itself = Shared::default();
    let seen = itself.clone();
    let circuit = Circuit::builder("backend")
        .policy(FRAGILE)
        .observe(move |event: &Event<'_>| act(seen.get().unwrap(), event))
        .observe(history.clone())
        .build();
    itself.set(circuit.clone()).unwrap();
    (circuit, history)
}

fn states(history: &History) -> Vec<State> {
    history.transitions().iter().map(|transition| transition.to()).collect()
}

async fn cycle(circuit: &Circuit) {
    fail(circuit);
    await_probe(circuit).await;
    succeed(circuit);
}

#[test]
fn promise_10_an_observer_sees_the_new_state() {
    watched(|| async {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let told = seen.clone();
        let (circuit, _) = observed(move |circuit, event| {
            if let Event::Transition(transition) = event {
                // Asked before anything else that might bring the truth about.
                let refused = circuit.permit().is_err();
                let snapshot = circuit.snapshot().state;
                told.lock().unwrap().push((transition.to(), refused, circuit.state(), snapshot));
            }
        });
        fail(&circuit);
        circuit.reset();
        circuit.force_open();
        circuit.release();
        use State::{Closed, ForcedOpen, Open};
        assert_eq!(
            *seen.lock().unwrap(),
            [
                (Open, true, Open, Open),
                (Closed, false, Closed, Closed),
                (ForcedOpen, true, ForcedOpen, ForcedOpen),
                (Closed, false, Closed, Closed),
            ]
        );
    });
}

#[tokio::test(start_paused = true)]
async fn promise_10_observers_hear_of_every_transition_in_order_with_its_cause() {
    let history = History::new(16);
    let circuit = Circuit::builder("backend").policy(FRAGILE).observe(history.clone()).build();
    let before = SystemTime::now();
    cycle(&circuit).await;
    fail(&circuit);
    await_probe(&circuit).await;
    fail(&circuit);
    circuit.reset();
    circuit.force_open_for(SECOND);
    advance(SECOND).await;
    assert_eq!(circuit.state(), State::Closed);
    circuit.force_closed();
    circuit.release();

    let told: Vec<_> = history
        .transitions()
        .iter()
        .map(|t| (t.from(), t.to(), t.cause(), t.lasts_for()))
        .collect();
    use State::{Closed, ForcedClosed, ForcedOpen, HalfOpen, Open};
    assert_eq!(
        told,
        [
            (Closed, Open, Cause::ConsecutiveFailures, Some(SECOND)),
            (Open, HalfOpen, Cause::OpenTimeOver, None),
            (HalfOpen, Closed, Cause::ProbesSucceeded, None),
            (Closed, Open, Cause::ConsecutiveFailures, Some(SECOND)),
            (Open, HalfOpen, Cause::OpenTimeOver, None),
            (HalfOpen, Open, Cause::ProbeFailed, Some(SECOND)),
            (Open, Closed, Cause::Reset, None),
            (Closed, ForcedOpen, Cause::Forced, Some(SECOND)),
            (ForcedOpen, Closed, Cause::ForcedTimeOver, None),
            (Closed, ForcedClosed, Cause::Forced, None),
            (ForcedClosed, Closed, Cause::Released, None),
        ]
    );
    for transition in history.transitions() {
        assert_eq!(transition.circuit().as_str(), "backend");
        assert!((before..=SystemTime::now()).contains(&transition.at()), "wall-clock time");
        assert!(!transition.is_metrics_only());
    }
}

#[test]
fn promise_10_on_many_threads_observers_hear_a_legal_chain() {
    let history = History::new(1_000_000);
    let policy = Policy::consecutive(1).open_for(Backoff::fixed(Duration::from_nanos(1)));
    let circuit = Circuit::builder("backend")
        .policy(policy)
        // Gives other threads a chance to overtake.
        .observe(|_: &Event<'_>| (0..fastrand::u32(..5)).for_each(|_| thread::yield_now()))
        .observe(history.clone())
        .build();
    thread::scope(|scope| {
        for thread in 0..4 {
            let circuit = &circuit;
            scope.spawn(move || {
                for n in 0..5_000 {
                    if let Ok(permit) = circuit.permit() {
                        if (n + thread) % 3 == 0 { permit.failure() } else { permit.success() }
                    }
                }
            });
        }
    });
    let transitions = history.transitions();
    assert!(transitions.len() > 1_000, "only {} transitions", transitions.len());
    assert_eq!(transitions[0].from(), State::Closed);
    for pair in transitions.windows(2) {
        assert_eq!(pair[0].to(), pair[1].from(), "{} then {}", pair[0], pair[1]);
    }
    assert_eq!(transitions.last().unwrap().to(), circuit.state());
}

#[test]
fn promise_10_an_observer_that_panics_harms_nothing() {
    watched(|| async {
        let (circuit, history) = observed(|_, event| panic!("an observer panics at {event}"));
        let mut service = CircuitBreaker::new(Backend::new(Work::Fails), circuit.clone());
        assert_eq!(call(&mut service).await.unwrap_err().to_string(), "down");
        assert!(call(&mut service).await.is_err(), "refused, and told of it");
        for _ in 0..10 {
            await_probe(&circuit).await;
            succeed(&circuit);
            assert_eq!(circuit.state(), State::Closed);
            fail(&circuit);
        }
        assert_eq!(states(&history).len(), 31, "the observer behind it is told all the same");
    });
}

#[test]
fn promise_10_an_observer_may_force_the_circuit() {
    watched(|| async {
        let (circuit, history) = observed(|circuit, event| match event {
            Event::Transition(transition) if transition.to() == State::Open => circuit.force_open(),
            _ => {}
        });
        fail(&circuit);
        assert_eq!(circuit.state(), State::ForcedOpen);
        assert_eq!(states(&history), [State::Open, State::ForcedOpen], "in order");
        circuit.release();
        assert_eq!(states(&history), [State::Open, State::ForcedOpen, State::Closed]);
    });
}

#[test]
fn promise_10_an_observer_may_ask_everything_of_the_circuit() {
    watched(|| async {
        let (circuit, history) = observed(|circuit, _| {
            let _ = (circuit.snapshot(), circuit.state(), circuit.retry_after(), circuit.policy());
            let _ = format!("{circuit:?}");
            circuit.set_policy(FRAGILE).unwrap();
            circuit.release();
            drop(circuit.clone());
        });
        for _ in 0..10 {
            cycle(&circuit).await;
        }
        assert_eq!(states(&history).len(), 30);
    });
}

#[test]
fn promise_10_an_observer_may_drop_the_last_handle() {
    watched(|| async {
        let last = Arc::new(Mutex::new(None::<Circuit>));
        let held = last.clone();
        let history = History::new(16);
        let circuit = Circuit::builder("backend")
            .policy(FRAGILE)
            .observe(move |_: &Event<'_>| drop(held.lock().unwrap().take()))
            .observe(history.clone())
            .build();
        let permit = circuit.permit().unwrap();
        *last.lock().unwrap() = Some(circuit);
        permit.failure();
        assert!(last.lock().unwrap().is_none());
        assert_eq!(states(&history), [State::Open]);
        // Circuits made afterwards are closed, and tell only their own observers.
        let new: Vec<_> = (0..64).map(|_| crate::circuit(FRAGILE)).collect();
        assert!(new.iter().all(|circuit| circuit.state() == State::Closed));
        new.iter().for_each(fail);
        assert_eq!(states(&history), [State::Open]);
    });
}

#[tokio::test(start_paused = true)]
async fn promise_10_an_observer_is_dropped_with_its_circuit() {
    let alive = Arc::new(());
    let held = alive.clone();
    let circuit = Circuit::builder("backend")
        .observe(move |_: &Event<'_>| {
            let _ = &held;
        })
        .build();
    circuit.force_open();
    let permit = crate::circuit(FRAGILE).permit().unwrap();
    drop(circuit);
    assert_eq!(Arc::strong_count(&alive), 1);
    permit.success();
}

type Heard = Mutex<Vec<(String, Option<Duration>)>>;

struct Refusals {
    heard: Arc<Heard>,
    wants: bool,
}

impl Observer for Refusals {
    fn on_event(&self, event: &Event<'_>) {
        if let Event::Refused { circuit, retry_after } = event {
            self.heard.lock().unwrap().push((circuit.to_string(), *retry_after));
        }
    }

    fn wants_refusals(&self) -> bool {
        self.wants
    }
}

#[tokio::test(start_paused = true)]
async fn each_refusal_is_told_once_to_those_who_want_to_know() {
    let heard = Arc::default();
    let observer = Refusals { heard: Arc::clone(&heard), wants: true };
    let circuit = Circuit::builder("backend").policy(FRAGILE).observe(observer).build();
    let mut service = CircuitBreaker::new(Backend::new(Work::Succeeds), circuit.clone());
    call(&mut service).await.unwrap();
    fail(&circuit);
    assert!(heard.lock().unwrap().is_empty());
    call(&mut service).await.unwrap_err();
    assert_eq!(heard.lock().unwrap().len(), 1, "by a service");
    circuit.permit().unwrap_err();
    assert_eq!(heard.lock().unwrap().len(), 2, "by a permit");
    circuit.call(async { Ok::<_, std::io::Error>(()) }).await.unwrap_err();
    assert_eq!(heard.lock().unwrap().len(), 3, "by a call");
    circuit.force_open();
    circuit.permit().unwrap_err();
    let heard = heard.lock().unwrap();
    assert_eq!(heard[0], ("backend".to_owned(), Some(SECOND)));
    assert_eq!(heard[3], ("backend".to_owned(), None));
}

#[tokio::test(start_paused = true)]
async fn refusals_are_not_told_to_a_circuit_none_of_whose_observers_wants_them() {
    let heard = Arc::default();
    let observer = Refusals { heard: Arc::clone(&heard), wants: false };
    let circuit = Circuit::builder("backend").policy(FRAGILE).observe(observer).build();
    fail(&circuit);
    circuit.permit().unwrap_err();
    assert!(heard.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_history_is_bounded_and_keeps_the_newest() {
    let history = History::new(4);
    let circuit = Circuit::builder("backend").policy(FRAGILE).observe(history.clone()).build();
    for _ in 0..100 {
        cycle(&circuit).await;
    }
    assert_eq!(history.capacity(), 4);
    use State::{Closed, HalfOpen, Open};
    assert_eq!(states(&history), [Closed, Open, HalfOpen, Closed]);
}

#[tokio::test(start_paused = true)]
async fn events_are_lines_for_people() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let seen = lines.clone();
    let circuit = Circuit::builder("redis")
        .policy(FRAGILE)
        .observe(move |event: &Event<'_>| seen.lock().unwrap().push(event.to_string()))
        .build();
    fail(&circuit);
    let _ = circuit.permit().map(Permit::success);
    let lines = lines.lock().unwrap();
    assert_eq!(lines[0], "circuit redis: closed → open for 1s (failures in a row)");
    assert_eq!(lines[1], "circuit redis refused a call: next probe in 1s");
}

#[test]
fn promise_10_an_observer_may_be_refused_whatever_it_is_told() {
    watched(|| async {
        let refused = Arc::new(AtomicUsize::new(0));
        let count = refused.clone();
        let (circuit, history) = observed(move |circuit, _| {
            // Being refused is an event, and that event is told to this observer.
            count.fetch_add(usize::from(circuit.permit().is_err()), Ordering::SeqCst);
        });
        circuit.force_open();
        circuit.permit().unwrap_err();
        assert!((2..10).contains(&refused.load(Ordering::SeqCst)), "{refused:?}");
        circuit.release();
        assert_eq!(states(&history), [State::ForcedOpen, State::Closed]);
    });
}
