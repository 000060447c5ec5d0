use std::time::Duration;

use super::*;
use crate::logic::Ratio;

const MS: Duration = Duration::from_millis(1);
const NANO: Duration = Duration::from_nanos(1);
const DAY: Duration = Duration::from_secs(86_400);
const HALF: Ratio = Ratio::percent(50);

fn calls(calls: u32) -> Rate {
    Rate::new(HALF, Window::Calls(calls))
}

fn time(time: Duration) -> Rate {
    Rate::new(HALF, Window::Time(time))
}

#[test]
fn settings_at_the_ends_of_their_ranges_are_allowed() {
    let policy = Policy::manual();
    for allowed in [
        Policy::new(),
        Policy::eager(),
        Policy::patient(),
        policy,
        Policy::consecutive(1),
        Policy::consecutive(u32::MAX),
        Policy::rate(calls(1)),
        Policy::rate(calls(1_024)),
        Policy::rate(calls(1_024).min_calls(1_024)),
        Policy::rate(time(10 * MS)),
        Policy::rate(time(DAY).min_calls(500_000)),
        Policy::rate(Rate::new(Ratio::from_millionths(1), Window::Calls(10))),
        Policy::rate(Rate::new(Ratio::percent(100), Window::Calls(10))),
        policy.slow_calls(NANO, calls(10)),
        policy.probes(1),
        policy.probes(1_000),
        policy.probe_deadline(NANO),
        policy.successes_to_close(1),
        policy.ramp_for(NANO),
        policy.longest_retry_after(Duration::ZERO),
        policy.cancelled(Cancelled::FailureAfter(Duration::ZERO)),
    ] {
        assert_eq!(allowed.check(), Ok(()), "{allowed:?}");
    }
}

#[test]
fn a_setting_beyond_its_range_is_named_with_its_value() {
    let policy = Policy::manual();
    let nothing = Rate::new(Ratio::percent(0), Window::Calls(10));
    for (refused, field, value) in [
        (Policy::consecutive(0), "consecutive_failures", "0"),
        (Policy::rate(nothing), "failure_rate.share", "0 %"),
        (Policy::rate(calls(0)), "failure_rate.window", "Calls(0)"),
        (Policy::rate(calls(1_025)), "failure_rate.window", "Calls(1025)"),
        (Policy::rate(time(10 * MS - NANO)), "failure_rate.window", "Time(9.999999ms)"),
        (Policy::rate(time(DAY + NANO)), "failure_rate.window", "Time(86400.000000001s)"),
        (Policy::rate(calls(10).min_calls(0)), "failure_rate.min_calls", "0"),
        (Policy::rate(calls(10).min_calls(11)), "failure_rate.min_calls", "11"),
        (policy.slow_calls(Duration::ZERO, calls(10)), "slow_calls.threshold", "0ns"),
        (policy.slow_calls(MS, nothing), "slow_calls.share", "0 %"),
        (policy.probes(0), "probes", "0"),
        (policy.probes(1_001), "probes", "1001"),
        (policy.probe_deadline(Duration::ZERO), "probe_deadline", "0ns"),
        (policy.successes_to_close(0), "successes_to_close", "0"),
        (policy.ramp_for(Duration::ZERO), "ramp_for", "0ns"),
    ] {
        let error = refused.check().expect_err(field);
        assert_eq!((error.field(), error.value()), (field, value));
        assert!(!error.allowed().is_empty());
        let allowed = error.allowed();
        let text = format!("circuit policy: {field} is {value}, allowed is {allowed}");
        assert_eq!(error.to_string(), text);
    }
}

/// A slice counts to a million and is then halved: more would be waited for in vain.
#[test]
fn a_window_of_time_does_not_wait_for_more_calls_than_it_can_count() {
    let error = Policy::rate(time(DAY).min_calls(500_001)).check().expect_err("too many");
    assert_eq!((error.field(), error.value()), ("failure_rate.min_calls", "500001"));
}

#[test]
fn a_rate_waits_for_ten_calls_or_for_all_of_a_smaller_window() {
    assert_eq!(calls(9).min_calls, 9);
    assert_eq!(calls(10).min_calls, 10);
    assert_eq!(calls(11).min_calls, 10);
    assert_eq!(time(DAY).min_calls, 10);
}

#[test]
fn counts_keep_their_meaning_unless_a_window_or_a_threshold_changes() {
    let policy = Policy::rate(calls(20)).slow_calls(MS, time(DAY));
    for alike in [
        policy.consecutive_failures(3),
        policy.failure_rate(calls(20).min_calls(3)),
        policy.failure_rate(Rate::new(Ratio::percent(1), Window::Calls(20))),
        policy.slow_calls(MS, time(DAY).min_calls(3)),
        policy.probes(7).ramp_for(MS).cancelled(Cancelled::Failure),
    ] {
        assert!(alike.counts_like(&policy), "{alike:?}");
    }
    for other in [
        policy.failure_rate(calls(21)),
        policy.failure_rate(time(DAY)),
        policy.without_failure_rate(),
        policy.slow_calls(2 * MS, time(DAY)),
        policy.slow_calls(MS, time(DAY / 2)),
        Policy::rate(calls(20)),
    ] {
        assert!(!other.counts_like(&policy), "{other:?}");
    }
    assert_eq!(policy.consecutive_failures(3).without_consecutive_failures(), policy);
}
