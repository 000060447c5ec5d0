//! What holds in every interleaving of a few threads, and mutants for which it does not.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicU64 as PlainU64, Ordering::SeqCst},
    },
    time::Duration,
};

use loom::{model::Builder, sync::Mutex, thread};

use super::{
    Cause, Moment, Policy, Ratio,
    breaker::{Breaker, Change, Face, Setting},
    meter::{Meter, Reading},
    policy::{Rate, Window},
    sign::Sign,
};

/// Runs a model of two threads in all its interleavings.
pub(super) fn in_all_orders(model: impl Fn() + Send + Sync + 'static) {
    run(Builder::new(), model);
}

/// Runs a model of three threads in all interleavings with at most three preemptions.
pub(super) fn in_most_orders(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(builder.preemption_bound.unwrap_or(3));
    run(builder, model);
}

fn run(builder: Builder, model: impl Fn() + Send + Sync + 'static) {
    let orders = Arc::new(PlainU64::new(0));
    let count = orders.clone();
    builder.check(move || {
        count.fetch_add(1, SeqCst);
        model();
    });
    let orders = orders.load(SeqCst);
    println!("{orders} orders");
    assert!(orders > 1, "there was nothing to interleave");
}

/// A circuit without clock, observers and waiters, put together as a slot does it.
struct Circuit {
    sign: Sign,
    meter: Meter,
    policy: Policy,
    control: Mutex<(Breaker, Vec<Change>)>,
}

impl Circuit {
    fn new(policy: Policy) -> Arc<Self> {
        let circuit = Self {
            sign: Sign::new(),
            meter: Meter::new(),
            policy,
            control: Mutex::new((Breaker::new(1), vec![])),
        };
        circuit.meter.start(1, &policy);
        circuit.sign.publish(1, Face::Closed);
        Arc::new(circuit)
    }

    /// The period of the call, if it passes.
    fn admit(&self) -> Option<u64> {
        let (period, face) = self.sign.read();
        (face == Face::Closed).then_some(period)
    }

    /// What a slot does when a call of `period` failed.
    fn fail(&self, period: u64, clock: impl Fn() -> Moment) {
        if let Some(cause) = self.record(period, clock) {
            self.decide(|breaker, setting| breaker.trip(period, cause, setting, None));
        }
    }

    fn record(&self, period: u64, clock: impl Fn() -> Moment) -> Option<Cause> {
        if period != self.sign.period() {
            return None;
        }
        let reading = Reading { failed: true, took: None };
        self.meter.record(period, reading, clock)
    }

    fn decide(&self, act: impl FnOnce(&mut Breaker, Setting<'_>) -> Option<Change>) {
        let mut control = self.control.lock().expect("no test panics while it holds the lock");
        let setting = Setting { policy: &self.policy, now: Moment::ORIGIN, random: 0.0 };
        let before = control.0.period();
        let change = act(&mut control.0, setting);
        control.1.extend(change);
        let breaker = &control.0;
        if breaker.period() != before && breaker.is_counting() {
            self.meter.start(breaker.period(), &self.policy);
        }
        self.sign.publish(breaker.period(), breaker.face(&self.policy));
    }

    fn causes(&self) -> Vec<Cause> {
        let control = self.control.lock().expect("no test panics while it holds the lock");
        control.1.iter().map(|change| change.cause).collect()
    }
}

fn standing_clock() -> Moment {
    Moment::ORIGIN
}

/// Is read twice by a call that fails: the first time to count it, the second to look at the window.
fn clock_that_leaves_the_slice() -> impl Fn() -> Moment {
    let nanos = Cell::new(0);
    move || Moment::from_nanos(nanos.replace(50))
}

/// Two calls fail at the same time; the policy bears one failure but not two.
fn two_failures_trip_once<C: Fn() -> Moment>(
    policy: Policy,
    first: impl Fn() -> C + Send + Sync + 'static,
    second: fn() -> Moment,
) {
    in_all_orders(move || {
        let circuit = Circuit::new(policy);
        let period = circuit.admit().expect("is closed");
        let other = circuit.clone();
        let thread = thread::spawn(move || other.fail(period, second));
        circuit.fail(period, first());
        thread.join().expect("does not panic");
        assert_eq!(circuit.causes().len(), 1, "trips, and once");
        assert_eq!(circuit.admit(), None);
    });
}

fn all_of_two(window: Window) -> Policy {
    Policy::rate(Rate::new(Ratio::percent(100), window).min_calls(2))
}

#[test]
fn two_failures_in_a_row_at_the_same_time_trip_once() {
    two_failures_trip_once(Policy::consecutive(2), || standing_clock, standing_clock);
}

#[test]
fn two_failures_each_of_which_would_do_trip_once() {
    two_failures_trip_once(Policy::consecutive(1), || standing_clock, standing_clock);
}

#[test]
fn two_failures_at_the_same_time_reach_a_rate_of_calls_and_trip_once() {
    two_failures_trip_once(all_of_two(Window::Calls(2)), || standing_clock, standing_clock);
}

#[test]
fn two_failures_at_the_same_time_reach_a_rate_in_a_slice_and_trip_once() {
    two_failures_trip_once(
        all_of_two(Window::Time(Duration::from_nanos(100))),
        || standing_clock,
        standing_clock,
    );
}

#[test]
fn two_failures_at_the_same_time_in_two_slices_reach_a_rate_and_trip_once() {
    let policy = all_of_two(Window::Time(Duration::from_nanos(100)));
    two_failures_trip_once(policy, clock_that_leaves_the_slice, || Moment::from_nanos(50));
}

/// A call of the first period fails while the circuit is reset; the second period begins clean.
fn a_straggler_and_a_reset(fail: impl Fn(&Circuit, u64) + Copy + Send + Sync + 'static) {
    in_all_orders(move || {
        let circuit = Circuit::new(Policy::consecutive(1));
        let period = circuit.admit().expect("is closed");
        let other = circuit.clone();
        let thread = thread::spawn(move || fail(&other, period));
        circuit.decide(|breaker, _| breaker.reset());
        thread.join().expect("does not panic");
        assert!(circuit.admit().is_some(), "a call of an earlier period tripped it");
        assert_eq!(circuit.meter.row(), 0);
    });
}

#[test]
fn a_straggler_does_not_trip_a_circuit_that_was_reset() {
    a_straggler_and_a_reset(|circuit, period| circuit.fail(period, standing_clock));
}

#[test]
#[should_panic(expected = "a call of an earlier period tripped it")]
fn a_trip_that_does_not_name_its_period_is_found() {
    a_straggler_and_a_reset(|circuit, period| {
        if let Some(cause) = circuit.record(period, standing_clock) {
            circuit.decide(|breaker, setting| breaker.trip(breaker.period(), cause, setting, None));
        }
    });
}

#[test]
fn three_failures_of_which_two_would_do_trip_once() {
    in_most_orders(|| {
        let circuit = Circuit::new(Policy::consecutive(2));
        let period = circuit.admit().expect("is closed");
        let threads = [circuit.clone(), circuit.clone()]
            .map(|circuit| thread::spawn(move || circuit.fail(period, standing_clock)));
        circuit.fail(period, standing_clock);
        for thread in threads {
            thread.join().expect("does not panic");
        }
        assert_eq!(circuit.causes(), [Cause::ConsecutiveFailures]);
        assert_eq!(circuit.admit(), None);
    });
}
