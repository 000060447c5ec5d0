use std::sync::Arc;

use loom::thread;

use super::*;
use crate::logic::{
    breaker::Face,
    loom_tests::{in_all_orders, in_most_orders},
    sign::Sign,
};

/// A streak, or a mutant of it.
trait Row: Send + Sync + 'static {
    fn new(period: u64, count: u32) -> Self;
    fn start(&self, period: u64);
    fn failure(&self, period: u64) -> Option<u32>;
    fn success(&self, period: u64);
    fn count(&self) -> u32;
}

impl Row for Streak {
    fn new(period: u64, count: u32) -> Self {
        Self::at(period, count)
    }

    fn start(&self, period: u64) {
        self.start(period);
    }

    fn failure(&self, period: u64) -> Option<u32> {
        self.failure(period)
    }

    fn success(&self, period: u64) {
        self.success(period);
    }

    fn count(&self) -> u32 {
        self.count()
    }
}

/// Looks at the period first and counts then, in two steps.
struct TwoSteps(Streak);

impl TwoSteps {
    fn update(&self, period: u64, next: impl FnOnce(u32) -> u32) -> Option<u32> {
        let word = self.0.0.load(Ordering::Relaxed);
        if word & !COUNT != period << 32 {
            return None;
        }
        let count = next((word & COUNT) as u32);
        self.0.0.store(period << 32 | u64::from(count), Ordering::Relaxed);
        Some(count)
    }
}

impl Row for TwoSteps {
    fn new(period: u64, count: u32) -> Self {
        Self(Streak::at(period, count))
    }

    fn start(&self, period: u64) {
        self.0.start(period);
    }

    fn failure(&self, period: u64) -> Option<u32> {
        self.update(period, |count| count + 1)
    }

    fn success(&self, period: u64) {
        self.update(period, |_| 0);
    }

    fn count(&self) -> u32 {
        self.0.count()
    }
}

/// Counts whatever the period.
struct Timeless(Streak);

impl Row for Timeless {
    fn new(period: u64, count: u32) -> Self {
        Self(Streak::at(period, count))
    }

    fn start(&self, period: u64) {
        self.0.start(period);
    }

    fn failure(&self, _: u64) -> Option<u32> {
        Some(self.0.0.fetch_add(1, Ordering::Relaxed) as u32 + 1)
    }

    fn success(&self, _: u64) {
        self.0.0.fetch_and(!COUNT, Ordering::Relaxed);
    }

    fn count(&self) -> u32 {
        self.0.count()
    }
}

fn two_failures<R: Row>() {
    in_all_orders(|| {
        let row = Arc::new(R::new(1, 0));
        let other = row.clone();
        let thread = thread::spawn(move || other.failure(1));
        let mut lengths = [row.failure(1), thread.join().expect("does not panic")];
        lengths.sort_unstable();
        assert_eq!(lengths, [Some(1), Some(2)], "a failure is lost");
        assert_eq!(row.count(), 2);
    });
}

#[test]
fn of_two_failures_at_the_same_time_each_is_counted() {
    two_failures::<Streak>();
}

#[test]
#[should_panic(expected = "a failure is lost")]
fn a_count_in_two_steps_is_found() {
    two_failures::<TwoSteps>();
}

#[test]
fn of_three_failures_at_the_same_time_each_is_counted() {
    in_most_orders(|| {
        let row = Arc::new(Streak::at(1, 0));
        let threads = [row.clone(), row.clone()].map(|row| thread::spawn(move || row.failure(1)));
        let mut lengths = vec![row.failure(1)];
        lengths.extend(threads.map(|thread| thread.join().expect("does not panic")));
        lengths.sort_unstable();
        assert_eq!(lengths, [Some(1), Some(2), Some(3)]);
    });
}

/// A failure and a success of the first period come while the second begins and counts one.
fn a_new_period<R: Row>() {
    in_most_orders(|| {
        let row = Arc::new(R::new(1, 3));
        let sign = Arc::new(Sign::new());
        sign.publish(1, Face::Closed);
        let late = row.clone();
        let late = thread::spawn(move || {
            late.failure(1);
            late.success(1);
        });
        let (new, seen) = (row.clone(), sign.clone());
        let new = thread::spawn(move || {
            let period = seen.period();
            let length = new.failure(period);
            if period == 2 {
                assert_eq!(length, Some(1), "the first failure of the new period");
            }
            period
        });
        row.start(2);
        sign.publish(2, Face::Closed);
        late.join().expect("does not panic");
        let counted = u32::from(new.join().expect("does not panic") == 2);
        assert_eq!(row.count(), counted, "a late call reached the new period");
    });
}

#[test]
fn a_late_call_changes_nothing_in_a_new_period() {
    a_new_period::<Streak>();
}

#[test]
#[should_panic(expected = "the new period")]
fn a_row_that_ignores_the_period_is_found() {
    a_new_period::<Timeless>();
}

#[test]
#[should_panic(expected = "the new period")]
fn a_look_at_the_period_in_a_step_of_its_own_is_found() {
    a_new_period::<TwoSteps>();
}

#[test]
fn a_failure_and_a_success_at_the_same_time_leave_a_row_of_one_or_none() {
    in_all_orders(|| {
        let row = Arc::new(Streak::at(1, 4));
        let other = row.clone();
        let thread = thread::spawn(move || other.success(1));
        let length = row.failure(1);
        thread.join().expect("does not panic");
        match length {
            Some(5) => assert_eq!(row.count(), 0),
            other => assert_eq!((other, row.count()), (Some(1), 1)),
        }
    });
}
