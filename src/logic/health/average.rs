use std::time::Duration;

use crate::logic::Moment;

/// An average over time: what is a half-life old counts half.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Average {
    nanos: f64,
    at: Moment,
    samples: u32,
}

impl Average {
    pub(super) fn of(sample: Duration, now: Moment) -> Self {
        Self { nanos: sample.as_nanos() as f64, at: now, samples: 1 }
    }

    /// Takes a sample in, by the time that has passed since the last one.
    pub(super) fn add(&mut self, sample: Duration, now: Moment, half_life: Duration) {
        self.weigh(sample, now, weight(now - self.at, half_life));
    }

    /// Takes a sample in; the first ones count alike, so that it is not the very first that decides.
    pub(super) fn learn(&mut self, sample: Duration, now: Moment, half_life: Duration) {
        let even = 1.0 / (f64::from(self.samples) + 1.0);
        self.weigh(sample, now, weight(now - self.at, half_life).max(even));
    }

    pub(super) fn get(&self) -> Duration {
        Duration::from_nanos(self.nanos as u64)
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
    fn the_first_samples_of_what_is_learned_count_alike() {
        let ms = Duration::from_millis;
        let mut average = Average::of(ms(100), Moment::ORIGIN);
        for n in 1..10 {
            average.learn(ms(10), Moment::ORIGIN, 300 * SECOND);
            close(&average, (100.0 + 10.0 * f64::from(n)) / f64::from(n + 1));
        }
    }
}
