use std::time::Duration;

use crate::logic::Moment;

/// An average over time: what is a half-life old counts half.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Average {
    nanos: f64,
    at: Moment,
    samples: u32,
}

/// How many samples a baseline begins with.
const FIRST: u32 = 10;

impl Average {
    pub(super) fn of(sample: Duration, now: Moment) -> Self {
        Self { nanos: sample.as_nanos() as f64, at: now, samples: 1 }
    }

    /// Takes a sample in, by the time that has passed since the last one.
    pub(super) fn add(&mut self, sample: Duration, now: Moment, half_life: Duration) {
        self.weigh(sample, now, weight(now - self.at, half_life));
    }

    /// Takes in a sample of what is usual. The first ones count alike, but the very first no more
    /// than twice the second: it may have had to connect.
    pub(super) fn learn(&mut self, sample: Duration, now: Moment, half_life: Duration) {
        let by_time = weight(now - self.at, half_life);
        if self.samples == 1 {
            self.nanos = self.nanos.min(2.0 * sample.as_nanos() as f64);
        }
        if self.samples < FIRST {
            self.weigh(sample, now, by_time.max(1.0 / f64::from(self.samples + 1)));
        } else {
            self.weigh(sample, now, by_time);
        }
    }

    pub(super) fn get(&self) -> Duration {
        Duration::from_nanos(self.nanos as u64)
    }

    /// Whether it is an average of more than a few.
    pub(super) const fn is_settled(&self) -> bool {
        self.samples >= FIRST
    }

    fn weigh(&mut self, sample: Duration, now: Moment, weight: f64) {
        self.nanos += (sample.as_nanos() as f64 - self.nanos) * weight;
        self.at = now;
        self.samples = self.samples.saturating_add(1);
    }
}

/// What a sample counts that comes this long after the one before.
fn weight(passed: Duration, half_life: Duration) -> f64 {
    -(-passed.as_secs_f64() / half_life.as_secs_f64() * std::f64::consts::LN_2).exp_m1()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn close(average: &Average, millis: f64) {
        let found = average.get().as_secs_f64() * 1e3;
        assert!((found - millis).abs() < 0.01, "{found} is not {millis}");
    }

    #[test]
    fn what_is_a_half_life_old_counts_half() {
        let ms = Duration::from_millis;
        let mut now = Moment::ORIGIN;
        let mut average = Average::of(ms(100), now);
        for half in [50.0, 25.0, 12.5] {
            now = now + 2 * SECOND;
            average.add(Duration::ZERO, now, 2 * SECOND);
            close(&average, half);
        }
        average.add(ms(900), now, 2 * SECOND);
        close(&average, 12.5);
        average.add(ms(900), now + Duration::MAX, 2 * SECOND);
        close(&average, 900.0);
    }

    #[test]
    fn the_first_samples_of_what_is_usual_count_alike_and_the_others_by_time() {
        let ms = Duration::from_millis;
        let mut average = Average::of(ms(10), Moment::ORIGIN);
        for (n, sample) in (2..=10).zip(11..) {
            average.learn(ms(sample), Moment::ORIGIN, 300 * SECOND);
            close(&average, (10..=sample).sum::<u64>() as f64 / f64::from(n));
        }
        let before = average.get();
        average.learn(ms(500), Moment::ORIGIN, 300 * SECOND);
        assert_eq!(average.get(), before, "no time has passed");
        average.learn(ms(500), Moment::ORIGIN + 300 * SECOND, 300 * SECOND);
        assert_eq!(average.get(), (before + ms(500)) / 2);
    }

    #[test]
    fn a_first_sample_that_had_to_connect_is_soon_forgotten() {
        let ms = Duration::from_millis;
        let mut average = Average::of(ms(500), Moment::ORIGIN);
        for _ in 0..9 {
            average.learn(ms(10), Moment::ORIGIN, 300 * SECOND);
        }
        close(&average, 11.0);
    }
}
