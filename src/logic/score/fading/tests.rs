use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn at(time: Duration) -> Moment {
    Moment::ORIGIN + time
}

fn close(fading: &Fading, expected: f64) {
    let average = fading.get().expect("has a sample");
    assert!((average - expected).abs() < 1e-4, "{average} is not {expected}");
}

#[test]
fn without_a_sample_there_is_no_average() {
    assert_eq!(Fading::new(SECOND).get(), None);
}

#[test]
fn the_first_sample_sets_it() {
    let fading = Fading::new(SECOND);
    fading.add(7.0, at(SECOND));
    close(&fading, 7.0);
}

#[test]
fn a_sample_after_a_half_life_counts_half() {
    let fading = Fading::new(SECOND);
    fading.add(0.0, at(SECOND));
    fading.add(8.0, at(2 * SECOND));
    close(&fading, 4.0);
    fading.add(8.0, at(4 * SECOND));
    close(&fading, 7.0);
}

#[test]
fn many_samples_weigh_no_more_than_the_time_they_cover() {
    let fading = Fading::new(SECOND);
    fading.add(0.0, at(SECOND));
    for step in 1..=1_000 {
        fading.add(8.0, at(SECOND + Duration::from_millis(step)));
    }
    assert!((fading.get().expect("has samples") - 4.0).abs() < 0.01);
}

#[test]
fn a_sample_out_of_order_changes_nothing() {
    let fading = Fading::new(SECOND);
    fading.add(1.0, at(10 * SECOND));
    fading.add(9.0, at(10 * SECOND - Duration::from_millis(900)));
    close(&fading, 1.0);
}

#[test]
fn after_a_pause_of_hours_the_next_sample_counts_fully() {
    for hours in [1, 10, 15, 18] {
        let fading = Fading::new(SECOND);
        fading.add(1.0, at(SECOND));
        fading.add(9.0, at(SECOND + hours * 3_600 * SECOND));
        close(&fading, 9.0);
    }
}

#[test]
fn what_is_not_a_number_is_left_out() {
    let fading = Fading::new(SECOND);
    for sample in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        fading.add(sample, at(SECOND));
    }
    assert_eq!(fading.get(), None);
    fading.add(f64::MAX, at(SECOND));
    assert!(fading.get().expect("has a sample").is_finite());
}

proptest! {
    #[test]
    fn the_average_stays_between_the_least_and_the_greatest_sample(
        samples in prop::collection::vec((0.0f64..1e6, 0u64..10_000_000_000), 1..50),
        half_life in 1u64..60_000,
    ) {
        let fading = Fading::new(Duration::from_millis(half_life));
        let mut now = Moment::ORIGIN;
        for (sample, nanos) in &samples {
            now = now + Duration::from_nanos(*nanos);
            fading.add(*sample, now);
        }
        let average = fading.get().expect("has samples");
        let values = || samples.iter().map(|(sample, _)| *sample);
        let (least, greatest) = (values().fold(f64::MAX, f64::min), values().fold(0.0, f64::max));
        prop_assert!(average >= least * 0.999_999 && average <= greatest * 1.000_001 + 1e-6);
    }

    #[test]
    fn the_average_is_that_of_the_textbook(
        samples in prop::collection::vec((0.0f64..1e6, 1u64..1_000_000), 1..50),
    ) {
        let fading = Fading::new(SECOND);
        let (mut now, mut last, mut expected) = (0, 0, None);
        for (sample, ticks) in samples {
            now += ticks;
            fading.add(sample, Moment::from_nanos(now * TICK));
            expected = Some(expected.map_or(sample, |average: f64| {
                let past = 0.5f64.powf((now - last) as f64 * TICK as f64 / 1e9);
                average * past + sample * (1.0 - past)
            }));
            last = now;
        }
        let (average, expected) = (fading.get().expect("a sample"), expected.expect("a sample"));
        prop_assert!((average - expected).abs() <= expected.abs() * 1e-5 + 1e-5);
    }
}
