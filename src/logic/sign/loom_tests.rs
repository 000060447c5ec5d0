use std::sync::Arc;

use loom::thread;

use super::*;
use crate::logic::{
    loom_tests::{in_all_orders, in_most_orders},
    streak::Streak,
};

/// A way to publish: the sign's own, or a mutant.
type Publish = fn(&Sign, u64, Face);

/// Shows the word before the moment that belongs to it.
fn word_first(sign: &Sign, period: u64, face: Face) {
    if let Face::Shut(until) = face {
        sign.word.store(period << KIND_BITS | SHUT, Ordering::Release);
        sign.until.store(until.as_nanos(), Ordering::Relaxed);
    } else {
        sign.publish(period, face);
    }
}

/// Publishes nothing that happened before.
fn relaxed(sign: &Sign, period: u64, face: Face) {
    let kind = match face {
        Face::Closed => CLOSED,
        Face::Free => FREE,
        Face::Ask => ASK,
        Face::Shut(until) => {
            sign.until.store(until.as_nanos(), Ordering::Relaxed);
            SHUT
        }
    };
    sign.word.store(period << KIND_BITS | kind, Ordering::Relaxed);
}

fn who_is_refused_sees_the_moment(publish: Publish) {
    in_all_orders(move || {
        let sign = Arc::new(Sign::new());
        publish(&sign, 1, Face::Closed);
        let reader = sign.clone();
        let reader = thread::spawn(move || {
            let mut last = 0;
            for _ in 0..2 {
                let (period, face) = reader.read();
                assert!(period >= last, "went back to an earlier period");
                last = period;
                if let Face::Shut(until) = face {
                    assert!(until.as_nanos() >= 100 * period, "the moment of an earlier face");
                }
            }
        });
        publish(&sign, 2, Face::Shut(Moment::from_nanos(200)));
        publish(&sign, 3, Face::Ask);
        publish(&sign, 4, Face::Shut(Moment::from_nanos(400)));
        reader.join().expect("does not panic");
    });
}

#[test]
fn who_is_refused_sees_a_moment_at_least_as_new_as_the_period() {
    who_is_refused_sees_the_moment(Sign::publish);
}

#[test]
#[should_panic(expected = "the moment of an earlier face")]
fn a_word_before_its_moment_is_found() {
    who_is_refused_sees_the_moment(word_first);
}

#[test]
#[should_panic(expected = "the moment of an earlier face")]
fn a_relaxed_word_is_found_by_who_is_refused() {
    who_is_refused_sees_the_moment(relaxed);
}

fn who_sees_a_period_counts_in_it(publish: Publish) {
    in_most_orders(move || {
        let (sign, streak) = (Arc::new(Sign::new()), Arc::new(Streak::at(1, 3)));
        publish(&sign, 1, Face::Closed);
        let callers = [0; 2].map(|_| {
            let (sign, streak) = (sign.clone(), streak.clone());
            thread::spawn(move || {
                let (period, _) = sign.read();
                let row = streak.failure(period);
                assert!(period == 1 || row.is_some_and(|row| row <= 2), "not prepared: {row:?}");
            })
        });
        streak.start(2);
        publish(&sign, 2, Face::Closed);
        for caller in callers {
            caller.join().expect("does not panic");
        }
    });
}

#[test]
fn who_sees_a_period_sees_the_counters_that_were_prepared_for_it() {
    who_sees_a_period_counts_in_it(Sign::publish);
}

#[test]
#[should_panic(expected = "not prepared")]
fn a_relaxed_word_is_found_by_who_counts() {
    who_sees_a_period_counts_in_it(relaxed);
}
