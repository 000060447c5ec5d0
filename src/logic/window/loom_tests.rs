use std::{sync::Arc, time::Duration};

use loom::thread;

use super::*;
use crate::logic::{
    breaker::Face,
    loom_tests::{in_all_orders, in_most_orders},
    sign::Sign,
};

const SLICE: u64 = 50;
const TIME: Window = Window::Time(Duration::from_nanos(SLICE * SLICES));
const CALLS: Window = Window::Calls(40);

fn at(tick: u64) -> impl Fn() -> Moment + Copy {
    move || Moment::from_nanos(tick * SLICE)
}

fn started(period: u64, window: Window) -> Arc<SlidingWindow> {
    let sut = SlidingWindow::new();
    sut.start(period, window);
    Arc::new(sut)
}

/// Two threads count at the same time: the first in the slice `ticks.0`, the second in `ticks.1`.
fn two_calls(window: Window, ticks: (u64, u64), before: &'static [u64]) -> Tally {
    let result = Arc::new(std::sync::Mutex::new(None));
    let out = result.clone();
    in_all_orders(move || {
        let window = started(1, window);
        for tick in before {
            window.record(1, true, at(*tick));
        }
        let other = window.clone();
        let thread = thread::spawn(move || other.record(1, true, at(ticks.1)));
        window.record(1, true, at(ticks.0));
        thread.join().expect("does not panic");
        let tally = window.tally(1, at(ticks.0.max(ticks.1)));
        let first = *out.lock().expect("no panic").get_or_insert(tally);
        assert_eq!(tally, first, "depends on the order");
    });
    let tally = *result.lock().expect("no panic");
    tally.expect("ran")
}

#[test]
fn of_two_calls_in_a_slice_each_is_counted() {
    assert_eq!(two_calls(TIME, (7, 7), &[]), Tally { bad: 2, total: 2 });
    assert_eq!(two_calls(TIME, (7, 7), &[7]), Tally { bad: 3, total: 3 });
    assert_eq!(two_calls(TIME, (7, 8), &[8]), Tally { bad: 3, total: 3 });
}

#[test]
fn of_two_calls_that_both_begin_a_lap_each_is_counted() {
    assert_eq!(two_calls(TIME, (8, 8), &[6, 6]), Tally { bad: 2, total: 2 });
    assert_eq!(two_calls(TIME, (8, 9), &[6, 7]), Tally { bad: 2, total: 2 });
}

#[test]
fn a_call_that_is_a_lap_behind_takes_nothing_from_the_new_lap() {
    assert_eq!(two_calls(TIME, (8, 6), &[6]), Tally { bad: 1, total: 1 });
    assert_eq!(two_calls(TIME, (8, 6), &[7]), Tally { bad: 2, total: 2 });
}

#[test]
fn of_two_calls_in_a_window_of_calls_each_is_counted() {
    assert_eq!(two_calls(CALLS, (0, 0), &[]), Tally { bad: 2, total: 2 });
    assert_eq!(two_calls(Window::Calls(2), (0, 0), &[0, 0]), Tally { bad: 2, total: 2 });
}

#[test]
fn two_calls_at_the_seam_of_two_words_are_both_counted() {
    assert_eq!(two_calls(CALLS, (0, 0), &[0; 31]), Tally { bad: 33, total: 33 });
}

fn three_calls(window: Window, ticks: [u64; 3]) {
    in_most_orders(move || {
        let window = started(1, window);
        let [first, others @ ..] = ticks;
        let threads = others.map(|tick| {
            let window = window.clone();
            thread::spawn(move || window.record(1, true, at(tick)))
        });
        window.record(1, true, at(first));
        for thread in threads {
            thread.join().expect("does not panic");
        }
        assert_eq!(window.tally(1, at(7)), Tally { bad: 3, total: 3 });
    });
}

#[test]
fn of_three_calls_each_is_counted() {
    three_calls(TIME, [7, 7, 7]);
    three_calls(TIME, [7, 6, 7]);
    three_calls(CALLS, [7, 7, 7]);
}

/// A way to count a late call, and a way to begin a period: the right ones or mutants.
type Late = fn(&SlidingWindow, &Sign, u64);
type Begin = fn(&SlidingWindow, &Sign, u64, Window);

/// A call of the period `old` comes late while the next one is started.
fn a_late_call(old: u64, from: Window, to: Window) {
    in_all_orders(move || {
        let (window, sign) = (started(old, from), Sign::new());
        window.record(old, true, at(6));
        let straggler = window.clone();
        let straggler = thread::spawn(move || straggler.record(old, true, at(7)));
        start_and_publish(&window, &sign, old + 1, to);
        straggler.join().expect("does not panic");
        assert_eq!(window.tally(old + 1, at(7)), Tally::default(), "counts a late call");
        for _ in 0..33 {
            window.record(old + 1, true, at(7));
        }
        let all = Tally { bad: 33, total: 33 };
        assert_eq!(window.tally(old + 1, at(7)), all, "does not count what came after it");
    });
}

/// The same, while a third thread counts in whatever period it sees.
fn a_new_period(from: Window, to: Window, late: Late, begin: Begin) {
    in_most_orders(move || {
        let (window, sign) = (started(1, from), Arc::new(Sign::new()));
        sign.publish(1, Face::Closed);
        let [straggler, caller] = [0; 2].map(|_| (window.clone(), sign.clone()));
        let straggler = thread::spawn(move || late(&straggler.0, &straggler.1, 1));
        let caller = thread::spawn(move || {
            let (window, sign) = caller;
            let period = sign.period();
            window.record(period, true, at(7));
            u64::from(period == 2)
        });
        begin(&window, &sign, 2, to);
        straggler.join().expect("does not panic");
        let counted = caller.join().expect("does not panic");
        let expected = Tally { bad: counted, total: counted };
        assert_eq!(window.tally(2, at(7)), expected, "not what the calls of the period made it");
    });
}

fn record(window: &SlidingWindow, _: &Sign, period: u64) {
    window.record(period, true, at(7));
}

fn start_and_publish(window: &SlidingWindow, sign: &Sign, period: u64, kind: Window) {
    window.start(period, kind);
    sign.publish(period, Face::Closed);
}

#[test]
fn a_late_call_changes_nothing_whatever_the_windows_were_and_become() {
    for old in [1, 255, 256, 65_535, 65_536, 1 << 32] {
        for (from, to) in [(TIME, TIME), (CALLS, CALLS), (TIME, CALLS), (CALLS, TIME)] {
            a_late_call(old, from, to);
        }
    }
}

#[test]
fn a_new_period_of_time_counts_its_own_calls_and_no_others() {
    a_new_period(TIME, TIME, record, start_and_publish);
}

#[test]
fn a_new_period_of_calls_counts_its_own_calls_and_no_others() {
    a_new_period(CALLS, CALLS, record, start_and_publish);
}

#[test]
#[should_panic(expected = "not what the calls of the period made it")]
fn a_period_that_is_published_before_it_is_prepared_is_found() {
    a_new_period(TIME, TIME, record, |window, sign, period, kind| {
        sign.publish(period, Face::Closed);
        window.start(period, kind);
    });
}

#[test]
#[should_panic(expected = "not what the calls of the period made it")]
fn a_call_that_forgot_its_period_is_found() {
    let late: Late = |window, sign, _| record(window, sign, sign.period());
    a_new_period(CALLS, CALLS, late, start_and_publish);
}
