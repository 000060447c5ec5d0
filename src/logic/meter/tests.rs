use proptest::prelude::*;

use super::{super::policy::Window, *};
use crate::logic::testing::{Seen, check};

const MS: u64 = 1_000_000;

/// The documented criteria, over a list of all calls of the period.
struct Model {
    policy: Policy,
    calls: Vec<Call>,
}

#[derive(Clone, Copy)]
struct Call {
    at: u64,
    failed: bool,
    slow: bool,
}

impl Model {
    fn record(&mut self, failed: bool, took: Option<Duration>, at: u64) -> Option<Cause> {
        let threshold = self.policy.slow_calls.map(|(threshold, _)| threshold);
        let slow = matches!((took, threshold), (Some(took), Some(from)) if took >= from);
        self.calls.push(Call { at, failed, slow });
        let Policy { consecutive_failures: most, failure_rate, slow_calls, .. } = self.policy;
        let row = self.row();
        if failed && most.is_some_and(|most| row >= most) {
            return Some(Cause::ConsecutiveFailures);
        }
        if failed && failure_rate.is_some_and(|rate| self.reaches(rate, at, |call| call.failed)) {
            return Some(Cause::FailureRate);
        }
        if slow && slow_calls.is_some_and(|(_, rate)| self.reaches(rate, at, |call| call.slow)) {
            return Some(Cause::SlowCallRate);
        }
        None
    }

    fn row(&self) -> u32 {
        self.calls.iter().rev().take_while(|call| call.failed).count() as u32
    }

    fn tally(&self, window: Window, now: u64, bad: impl Fn(&Call) -> bool) -> Tally {
        let within: Vec<_> = match window {
            Window::Calls(most) => self.calls.iter().rev().take(most as usize).collect(),
            Window::Time(time) => {
                let tick = |at: u64| at / (time.as_nanos() as u64 / 10);
                self.calls.iter().filter(|call| tick(now) - tick(call.at) < 10).collect()
            }
        };
        let bads = within.iter().filter(|call| bad(call)).count();
        Tally { bad: bads as u64, total: within.len() as u64 }
    }

    fn reaches(&self, rate: Rate, now: u64, bad: impl Fn(&Call) -> bool) -> bool {
        let Tally { bad, total } = self.tally(rate.window, now, bad);
        total >= u64::from(rate.min_calls)
            && bad as f64 / total as f64 + 1e-9 >= f64::from(rate.share.millionths()) / 1e6
    }
}

fn rate() -> impl Strategy<Value = Rate> {
    let window = prop_oneof![
        (1u32..=40).prop_map(Window::Calls),
        (10u64..=500).prop_map(|millis| Window::Time(Duration::from_millis(millis))),
    ];
    (1u32..=100, window, 1u32..=12).prop_map(|(percent, window, min_calls)| {
        let min_calls = match window {
            Window::Calls(calls) => min_calls.min(calls),
            Window::Time(_) => min_calls,
        };
        Rate::new(Ratio::percent(percent), window).min_calls(min_calls)
    })
}

fn policy() -> impl Strategy<Value = Policy> {
    let slow = (1u64..=50, rate()).prop_map(|(millis, rate)| (Duration::from_millis(millis), rate));
    let cancelled = prop_oneof![
        Just(Cancelled::Ignored),
        Just(Cancelled::Failure),
        (0u64..50).prop_map(|millis| Cancelled::FailureAfter(Duration::from_millis(millis))),
    ];
    (prop::option::of(1u32..=8), prop::option::of(rate()), prop::option::of(slow), cancelled)
        .prop_map(|(consecutive_failures, failure_rate, slow_calls, cancelled)| Policy {
            consecutive_failures,
            failure_rate,
            slow_calls,
            cancelled,
            ..Policy::manual()
        })
}

#[derive(Clone, Debug)]
enum Step {
    Call {
        failed: bool,
        took: u64,
        times: u32,
    },
    Late {
        failed: bool,
        took: u64,
        back: u64,
    },
    Cancelled {
        took: u64,
    },
    Wait {
        millis: u64,
    },
    Start {
        policy: Policy,
    },
    /// Other limits for the same counts.
    Configure {
        row: Option<u32>,
        percent: u32,
        min_calls: u32,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (any::<bool>(), 0u64..60, 1u32..4)
            .prop_map(|(failed, took, times)| Step::Call { failed, took, times }),
        1 => (any::<bool>(), 0u64..60, 1u64..=255)
            .prop_map(|(failed, took, back)| Step::Late { failed, took, back }),
        1 => (0u64..60).prop_map(|took| Step::Cancelled { took }),
        4 => (0u64..80).prop_map(|millis| Step::Wait { millis }),
        1 => policy().prop_map(|policy| Step::Start { policy }),
        1 => (prop::option::of(1u32..=8), 1u32..=100, 1u32..=12)
            .prop_map(|(row, percent, min_calls)| Step::Configure { row, percent, min_calls }),
    ]
}

#[test]
fn a_meter_trips_when_a_list_of_all_calls_meets_a_criterion() {
    let seen = Seen::new([
        "failures in a row",
        "failure rate",
        "rate of slow calls",
        "no cause",
        "late call",
        "cancelled in time",
        "cancelled too late",
        "other limits",
    ]);
    let input = (policy(), prop::collection::vec(step(), 0..80));
    check(file!(), 1_500, input, |(policy, steps)| {
        let meter = Meter::new();
        let (mut period, mut now) = (1_000, 3_600_000 * MS);
        meter.start(period, &policy);
        let mut model = Model { policy, calls: vec![] };
        for step in steps {
            let moment = Moment::from_nanos(now);
            let timed = |took| meter.is_timed().then_some(Duration::from_millis(took));
            match step {
                Step::Call { failed, took, times } => {
                    for _ in 0..times {
                        let took = timed(took);
                        let cause = meter.record(period, Reading { failed, took }, || moment);
                        prop_assert_eq!(cause, model.record(failed, took, now));
                        seen.note(cause.map_or("no cause", Cause::as_str));
                    }
                }
                Step::Late { failed, took, back } => {
                    let reading = Reading { failed, took: timed(took) };
                    let cause = meter.record(period - back, reading, || moment);
                    prop_assert_eq!(cause, None);
                    seen.note("late call");
                }
                Step::Cancelled { took } => {
                    let is_failure = meter.is_failure_when_cancelled(timed(took));
                    prop_assert_eq!(
                        is_failure,
                        match model.policy.cancelled {
                            Cancelled::Ignored => false,
                            Cancelled::Failure => true,
                            Cancelled::FailureAfter(from) => Duration::from_millis(took) >= from,
                        }
                    );
                    seen.note(if is_failure { "cancelled too late" } else { "cancelled in time" });
                }
                Step::Wait { millis } => now += millis * MS,
                Step::Start { policy } => {
                    period += 1;
                    meter.start(period, &policy);
                    model = Model { policy, calls: vec![] };
                }
                Step::Configure { row, percent, min_calls } => {
                    let other =
                        |rate: Rate| Rate { share: Ratio::percent(percent), min_calls, ..rate };
                    let old = model.policy;
                    model.policy = Policy {
                        consecutive_failures: row,
                        failure_rate: old.failure_rate.map(other),
                        slow_calls: old.slow_calls.map(|(from, rate)| (from, other(rate))),
                        ..old
                    };
                    prop_assert!(old.counts_like(&model.policy));
                    meter.configure(&model.policy);
                    seen.note("other limits");
                }
            }
            let moment = Moment::from_nanos(now);
            let Policy { failure_rate, slow_calls, .. } = model.policy;
            let failures = failure_rate.map(|rate| model.tally(rate.window, now, |c| c.failed));
            let slow = slow_calls.map(|(_, rate)| model.tally(rate.window, now, |c| c.slow));
            prop_assert_eq!(meter.row(), model.row());
            prop_assert_eq!(meter.failures(period, moment), failures);
            prop_assert_eq!(meter.slow_calls(period, moment), slow);
        }
        Ok(())
    });
    seen.all();
}

#[test]
fn what_needs_no_clock_reads_none() {
    let meter = Meter::new();
    let rate = Rate::new(Ratio::percent(50), Window::Calls(10));
    meter.start(1, &Policy::rate(rate).consecutive_failures(3).cancelled(Cancelled::Failure));
    assert!(!meter.is_timed());
    let reading = Reading { failed: true, took: None };
    assert_eq!(meter.record(1, reading, || panic!("read the clock")), None);
}

#[test]
fn a_call_is_slow_from_the_threshold_on_and_only_if_the_policy_says_so() {
    let meter = Meter::new();
    let rate = Rate::new(Ratio::percent(50), Window::Calls(10));
    meter.start(1, &Policy::manual().slow_calls(Duration::from_millis(5), rate));
    assert!(meter.is_timed());
    assert!(!meter.is_slow(Duration::from_nanos(5 * MS - 1)));
    assert!(meter.is_slow(Duration::from_millis(5)));
    meter.start(2, &Policy::manual());
    assert!(!meter.is_timed());
    assert!(!meter.is_slow(Duration::MAX));
}

#[test]
fn who_does_not_count_failures_in_a_row_never_trips_on_them() {
    let mut meter = Meter::new();
    meter.start(1, &Policy::manual());
    meter.streak = Streak::at(1, u32::MAX - 1);
    for _ in 0..3 {
        let reading = Reading { failed: true, took: None };
        assert_eq!(meter.record(1, reading, || Moment::ORIGIN), None);
    }
}

#[test]
fn a_limit_keeps_the_largest_settings_apart() {
    let limit = Limit::new();
    let window = Window::Time(Duration::from_secs(1));
    limit.set(Some(&Rate::new(Ratio::percent(100), window).min_calls(u32::MAX)));
    let all = u64::from(u32::MAX);
    assert!(limit.is_reached(Tally { bad: all, total: all }));
    assert!(!limit.is_reached(Tally { bad: all - 1, total: all - 1 }));
    assert!(!limit.is_reached(Tally { bad: all - 1, total: all }));
}
