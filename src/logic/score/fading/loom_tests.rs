use std::sync::Arc;

use loom::thread;

use super::*;
use crate::logic::loom_tests::{in_all_orders, in_most_orders};

/// A way to add: the average's own, or a mutant.
type Add = fn(&Fading, f64, Moment);

/// Looks and writes in two steps.
fn in_two_steps(fading: &Fading, sample: f64, now: Moment) {
    let tick = (now.as_nanos() / TICK) as u32;
    let word = fading.word.load(Ordering::Relaxed);
    fading.word.store(fading.after(word, sample, tick), Ordering::Relaxed);
}

fn half_lives(count: u64) -> Moment {
    Moment::from_nanos(count * 1_000 * TICK)
}

fn fading() -> Arc<Fading> {
    let fading = Fading::new(Duration::from_nanos(1_000 * TICK));
    fading.add(0.0, half_lives(1));
    Arc::new(fading)
}

/// Either order gives 6: 0, 4, 6, or 0, 6 and a sample out of order.
fn two_samples(add: Add) {
    in_all_orders(move || {
        let fading = fading();
        let other = fading.clone();
        let thread = thread::spawn(move || add(&other, 8.0, half_lives(3)));
        add(&fading, 8.0, half_lives(2));
        thread.join().expect("does not panic");
        assert_eq!(fading.get(), Some(6.0), "a sample is lost");
    });
}

#[test]
fn of_two_samples_at_the_same_time_none_is_lost() {
    two_samples(Fading::add);
}

#[test]
#[should_panic(expected = "a sample is lost")]
fn an_average_in_two_steps_is_found() {
    two_samples(in_two_steps);
}

#[test]
fn a_reader_sees_an_average_that_there_was() {
    in_most_orders(|| {
        let fading = fading();
        let adders = [2, 3].map(|time| {
            let fading = fading.clone();
            thread::spawn(move || fading.add(8.0, half_lives(time)))
        });
        let seen = fading.get().expect("has a sample");
        assert!([0.0, 4.0, 6.0].contains(&seen), "never was: {seen}");
        for adder in adders {
            adder.join().expect("does not panic");
        }
        assert_eq!(fading.get(), Some(6.0));
    });
}

#[test]
fn of_two_first_samples_one_sets_it_and_the_other_counts_by_its_time() {
    in_all_orders(|| {
        let fading = Arc::new(Fading::new(Duration::from_nanos(1_000 * TICK)));
        let other = fading.clone();
        let thread = thread::spawn(move || other.add(8.0, half_lives(2)));
        fading.add(0.0, half_lives(1));
        thread.join().expect("does not panic");
        let average = fading.get().expect("has samples");
        assert!(average == 4.0 || average == 8.0, "{average}");
    });
}
