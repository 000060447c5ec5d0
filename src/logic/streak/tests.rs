use proptest::prelude::*;

use super::*;
use crate::logic::testing::{Seen, check};

#[derive(Clone, Copy, Debug)]
enum Step {
    Failure,
    Success,
    LateFailure(u64),
    LateSuccess(u64),
    Start(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => Just(Step::Failure),
        2 => Just(Step::Success),
        1 => (1u64..1_000).prop_map(Step::LateFailure),
        1 => (1u64..1_000).prop_map(Step::LateSuccess),
        1 => (1u64..1_000).prop_map(Step::Start),
    ]
}

#[test]
fn a_streak_is_a_counter_that_successes_and_new_periods_set_to_zero() {
    let seen = Seen::new(["row of 5", "row ended", "late failure", "late success", "new period"]);
    check(file!(), 2_000, prop::collection::vec(step(), 0..100), |steps| {
        let streak = Streak::new();
        let (mut period, mut row) = (1_000, 0);
        streak.start(period);
        for step in steps {
            match step {
                Step::Failure => {
                    row += 1;
                    prop_assert_eq!(streak.failure(period), Some(row));
                }
                Step::Success => {
                    streak.success(period);
                    if row > 0 {
                        seen.note("row ended");
                    }
                    row = 0;
                }
                Step::LateFailure(back) => {
                    prop_assert_eq!(streak.failure(period - back), None);
                    seen.note("late failure");
                }
                Step::LateSuccess(back) => {
                    streak.success(period - back);
                    seen.note("late success");
                }
                Step::Start(ahead) => {
                    period += ahead;
                    row = 0;
                    streak.start(period);
                    seen.note("new period");
                }
            }
            if row == 5 {
                seen.note("row of 5");
            }
            prop_assert_eq!(streak.count(), row);
        }
        Ok(())
    });
    seen.all();
}

#[test]
fn a_row_stops_growing_at_its_largest_number_and_stays_in_its_period() {
    let streak = Streak::at(7, u32::MAX - 1);
    assert_eq!(streak.failure(7), Some(u32::MAX));
    assert_eq!(streak.failure(7), Some(u32::MAX));
    assert_eq!(streak.failure(8), None);
    streak.success(7);
    assert_eq!(streak.count(), 0);
    assert_eq!(streak.failure(7), Some(1));
}
