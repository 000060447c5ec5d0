use proptest::prelude::*;

use super::{
    super::{Grade, Policy},
    Change, Complaint, Vitals,
};
use crate::logic::{
    Moment, Ratio,
    testing::{Seen, check},
};
use std::time::Duration;

use Grade::{Degraded, Healthy, Unhealthy, Unknown};

const SECOND: Duration = Duration::from_secs(1);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A target that is checked every second.
struct Patient {
    vitals: Vitals,
    policy: Policy,
    now: Moment,
}

impl Patient {
    fn new(policy: Policy) -> Self {
        Self { vitals: Vitals::new(Moment::ORIGIN), policy, now: Moment::ORIGIN }
    }

    /// One that has been healthy for a while, at this latency.
    fn used_to(latency: Duration) -> Self {
        let mut patient = Self::new(Policy::new());
        for _ in 0..30 {
            patient.good(latency);
        }
        assert_eq!(patient.vitals.grade(), Healthy);
        patient
    }

    fn good(&mut self, latency: Duration) -> Option<Change> {
        self.now = self.now + SECOND;
        self.vitals.good(Some(latency), &self.policy, self.now)
    }

    fn bad(&mut self) -> Option<Change> {
        self.now = self.now + SECOND;
        self.vitals.bad(&self.policy, self.now)
    }

    /// How many good checks of this latency it takes to bring this about.
    fn checks_until(&mut self, latency: Duration, grade: Grade) -> u32 {
        (1..=1_000)
            .find(|_| self.good(latency).is_some_and(|(_, to)| to == grade))
            .unwrap_or_else(|| panic!("1,000 checks of {latency:?} do not make it {grade}"))
    }
}

#[test]
fn the_first_check_decides_both_ways() {
    let mut patient = Patient::new(Policy::new().fall(9).rise(9));
    assert_eq!(patient.vitals.checks_to_go(&patient.policy), 1);
    assert_eq!(patient.good(ms(1)), Some((Unknown, Healthy)));
    let mut patient = Patient::new(Policy::new().fall(9).rise(9));
    assert_eq!(patient.bad(), Some((Unknown, Unhealthy)));
}

#[test]
fn it_takes_fall_bad_checks_in_a_row_and_rise_good_ones() {
    let mut patient = Patient::used_to(ms(1));
    assert_eq!((patient.bad(), patient.bad()), (None, None));
    assert_eq!(patient.good(ms(1)), None);
    assert_eq!((patient.bad(), patient.bad()), (None, None));
    assert_eq!(patient.vitals.failures_in_a_row(), 2);
    assert_eq!(patient.vitals.checks_to_go(&patient.policy), 0);
    assert_eq!(patient.bad(), Some((Healthy, Unhealthy)));
    assert_eq!(patient.vitals.since(), patient.now);
    assert_eq!(patient.bad(), None);
    assert_eq!(patient.vitals.checks_to_go(&patient.policy), 2);
    assert_eq!(patient.good(ms(1)), None);
    assert_eq!(patient.vitals.checks_to_go(&patient.policy), 1);
    let fewer = patient.policy.rise(1);
    assert_eq!(patient.vitals.checks_to_go(&fewer), 1, "it takes a check to find out");
    assert_eq!(patient.bad(), None);
    assert_eq!(patient.good(ms(1)), None);
    assert_eq!(patient.good(ms(1)), Some((Unhealthy, Healthy)));
    assert_eq!(patient.vitals.successes_in_a_row(), 2);
}

#[test]
fn what_is_known_from_elsewhere_counts_at_once() {
    let mut patient = Patient::used_to(ms(1));
    assert_eq!(patient.vitals.down(patient.now), Some((Healthy, Unhealthy)));
    assert_eq!(patient.vitals.down(patient.now), None);
    assert_eq!(patient.good(ms(1)), None);
    assert_eq!(patient.vitals.down(patient.now), None);
    assert_eq!(patient.good(ms(1)), None, "the row of good ones starts anew");
    let Patient { mut vitals, policy, now } = patient;
    assert_eq!(vitals.up(&policy, now), Some((Unhealthy, Healthy)));
    assert_eq!(vitals.up(&policy, now), None);
    assert_eq!(Vitals::new(now).up(&policy, now), Some((Unknown, Healthy)));
    assert_eq!(Vitals::new(now).down(now), Some((Unknown, Unhealthy)));
}

#[test]
fn five_times_the_baseline_is_degraded_within_ten_checks_and_back_when_it_is_over() {
    let mut patient = Patient::used_to(ms(10));
    let checks = patient.checks_until(ms(50), Degraded);
    assert!((2..=5).contains(&checks), "{checks} checks");
    let Some(Complaint::Slow { latency, baseline }) = patient.vitals.complaint() else {
        panic!("{:?}", patient.vitals);
    };
    assert!(latency > ms(30) && baseline < ms(11), "{latency:?}, {baseline:?}");
    let before = patient.vitals.baseline();
    for _ in 0..1_000 {
        assert_eq!(patient.good(ms(50)), None);
    }
    assert_eq!(patient.vitals.baseline(), before, "nobody gets used to it");
    let checks = patient.checks_until(ms(10), Healthy);
    assert!((2..=10).contains(&checks), "{checks} checks");
    assert_eq!(patient.vitals.complaint(), None);
}

#[test]
fn a_single_pause_is_no_degradation_however_long() {
    for pause in [ms(31), ms(100), SECOND, 1_000 * SECOND] {
        let mut patient = Patient::used_to(ms(10));
        assert_eq!(patient.good(pause), None);
        for _ in 0..5 {
            assert_eq!(patient.good(ms(10)), None, "{pause:?}");
        }
    }
}

#[test]
fn less_than_the_margin_above_the_baseline_is_not_slow() {
    let mut patient = Patient::used_to(Duration::from_micros(100));
    for _ in 0..20 {
        assert_eq!(patient.good(Duration::from_micros(1_000)), None);
    }
    patient.checks_until(Duration::from_micros(1_300), Degraded);
}

#[test]
fn what_is_exactly_at_a_limit_is_fine() {
    let mut patient = Patient::used_to(ms(10));
    let policy = patient.policy.slow_factor(1.25).slow_margin(Duration::ZERO);
    patient.policy = policy.baseline_half_life(Duration::MAX);
    let mut good_after_an_hour = |latency| {
        patient.now = patient.now + 3_600 * SECOND;
        patient.good(latency)
    };
    assert_eq!(good_after_an_hour(Duration::from_micros(12_500)), None);
    assert_eq!(good_after_an_hour(ms(20)), Some((Healthy, Degraded)));
    assert_eq!(good_after_an_hour(Duration::from_micros(10_001)), None);
    assert_eq!(good_after_an_hour(ms(10)), Some((Degraded, Healthy)));
}

#[test]
fn between_the_two_limits_it_stays_what_it_was() {
    let mut patient = Patient::used_to(ms(10));
    for _ in 0..20 {
        assert_eq!(patient.good(ms(27)), None, "not yet slow");
    }
    let mut patient = Patient::used_to(ms(10));
    patient.checks_until(ms(50), Degraded);
    for _ in 0..100 {
        assert_eq!(patient.good(ms(27)), None, "not yet fine");
    }
    patient.checks_until(ms(22), Healthy);
}

#[test]
fn the_baseline_follows_slowly_while_all_is_well() {
    let mut patient = Patient::used_to(ms(10));
    for _ in 0..300 {
        assert_eq!(patient.good(ms(20)), None);
    }
    let baseline = patient.vitals.baseline().unwrap();
    assert!((ms(14)..ms(18)).contains(&baseline), "{baseline:?} after a half-life");
    patient.checks_until(ms(80), Degraded);
    patient.vitals.forget_baseline();
    assert_eq!(patient.good(ms(80)), Some((Degraded, Healthy)), "that is usual now");
}

#[test]
fn one_in_three_lost_is_degraded_and_half_of_what_was_missing_has_to_come_back() {
    let mut patient = Patient::used_to(ms(1));
    let mut checks = 0;
    while patient.vitals.grade() == Healthy {
        checks += 1;
        if checks % 3 == 0 {
            patient.bad()
        } else {
            patient.good(ms(1))
        };
        assert!(checks < 40, "{:?}", patient.vitals);
    }
    assert_eq!(patient.vitals.grade(), Degraded);
    let Some(Complaint::Failing(rate)) = patient.vitals.complaint() else {
        panic!("{:?}", patient.vitals);
    };
    assert!(rate < Ratio::percent(80));
    patient.checks_until(ms(1), Healthy);
    assert_eq!(patient.vitals.success_rate(), Some(Ratio::percent(90)));
    patient.vitals.is_failing = true;
    patient.policy = patient.policy.success_floor(Ratio::percent(0));
    patient.vitals.grade = Degraded;
    assert_eq!(patient.good(ms(1)), Some((Degraded, Healthy)), "nobody asks for it any more");
}

#[test]
fn an_outage_leaves_no_bad_name() {
    let mut patient = Patient::used_to(ms(1));
    for _ in 0..20 {
        patient.bad();
    }
    assert_eq!(patient.good(ms(1)), None);
    assert_eq!(patient.good(ms(1)), Some((Unhealthy, Healthy)));
    assert_eq!(patient.vitals.success_rate(), None, "too few to say");
}

#[test]
fn what_comes_back_slow_is_degraded() {
    let mut patient = Patient::used_to(ms(10));
    for _ in 0..3 {
        patient.bad();
    }
    assert_eq!(patient.vitals.grade(), Unhealthy);
    patient.now = patient.now + 60 * SECOND;
    assert_eq!(patient.good(ms(70)), None);
    assert_eq!(patient.good(ms(70)), Some((Unhealthy, Degraded)));
}

#[test]
fn without_a_factor_or_a_latency_nothing_is_slow() {
    let mut patient = Patient::used_to(ms(10));
    patient.policy = patient.policy.without_slow_factor();
    for _ in 0..20 {
        assert_eq!(patient.good(SECOND), None);
    }
    let mut patient = Patient::used_to(ms(10));
    for _ in 0..20 {
        assert_eq!(patient.vitals.good(None, &patient.policy, patient.now), None);
    }
    assert_eq!(patient.vitals.latency(), Some(ms(10)));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Good(u64),
    Bad,
    Down,
    Up,
    Forget,
}

/// Keeps everything that ever happened, and works each answer out from that.
struct Model {
    policy: Policy,
    grade: Grade,
    /// The results, oldest first: whether good.
    results: Vec<bool>,
    /// The results since it was last unhealthy, that were counted.
    recent: Vec<bool>,
    /// Latencies in seconds, as they count, with their times.
    samples: Vec<(f64, f64)>,
    /// Those the baseline was learned from.
    lessons: Vec<(f64, f64)>,
    slow: bool,
    failing: bool,
    is_close: bool,
}

impl Model {
    /// Sums what each sample has left.
    fn latency(&self) -> Option<f64> {
        let (last, half_life) = (self.samples.last()?.1, self.policy.latency_half_life);
        let left = |seconds: f64| (-seconds / half_life.as_secs_f64()).exp2();
        let mut sum = 0.0;
        for (n, (sample, at)) in self.samples.iter().enumerate() {
            let own = if n == 0 { 1.0 } else { 1.0 - left(at - self.samples[n - 1].1) };
            sum += sample * own * left(last - at);
        }
        Some(sum)
    }

    fn baseline(&self) -> Option<f64> {
        let half_life = self.policy.baseline_half_life.as_secs_f64();
        let mut learned = self.lessons.first()?.0;
        for n in 1..self.lessons.len() {
            let (sample, at) = self.lessons[n];
            let mut new = 1.0 - (-(at - self.lessons[n - 1].1) / half_life).exp2();
            if n < 10 {
                new = new.max(1.0 / (n as f64 + 1.0));
            }
            if n == 1 {
                learned = learned.min(2.0 * sample);
            }
            learned = learned * (1.0 - new) + sample * new;
        }
        Some(learned)
    }

    fn limit(&self) -> Option<f64> {
        let baseline = self.baseline()?;
        let margin = self.policy.slow_margin.as_secs_f64();
        Some((baseline * self.policy.slow_factor?).max(baseline + margin))
    }

    fn row(&self, of: bool) -> usize {
        self.results.iter().rev().take_while(|good| **good == of).count()
    }

    fn rate(&self) -> Option<f64> {
        let last = &self.recent[self.recent.len().saturating_sub(20)..];
        let good = last.iter().filter(|good| **good).count();
        (last.len() >= 10).then(|| good as f64 / last.len() as f64)
    }

    fn judge(&mut self) {
        self.slow = match (self.latency(), self.limit()) {
            (Some(latency), Some(limit)) if self.lessons.len() >= 10 => {
                let limit = if self.slow { 0.8 * limit } else { limit };
                self.is_close |= (latency - limit).abs() < 1e-7;
                latency > limit
            }
            _ => false,
        };
        let floor = self.policy.success_floor.get();
        let enough = if self.failing { 0.5 + floor / 2.0 } else { floor };
        self.failing = self.rate().is_some_and(|rate| {
            self.is_close |= (rate - enough).abs() < 1e-6 && rate != enough;
            rate < enough
        });
        self.grade = if self.slow || self.failing { Degraded } else { Healthy };
    }

    fn fall(&mut self) {
        self.grade = Unhealthy;
        self.recent.clear();
        (self.slow, self.failing) = (false, false);
    }

    fn step(&mut self, step: Step, at: f64) {
        match step {
            Step::Good(millis) => {
                self.results.push(true);
                let twice = self.limit().map_or(f64::INFINITY, |limit| 2.0 * limit);
                let sample = (millis as f64 / 1e3).min(twice);
                self.samples.push((sample, at));
                let learns = self.grade < Degraded || self.lessons.is_empty();
                if learns {
                    self.lessons.push((sample, at));
                }
                if self.grade != Unhealthy || self.row(true) >= self.policy.rise as usize {
                    self.recent.push(true);
                    self.judge();
                }
            }
            Step::Up => {
                let more = (self.policy.rise as usize).saturating_sub(self.row(true)).max(1);
                self.results.extend(vec![true; more]);
                self.recent.push(true);
                self.judge();
            }
            Step::Bad => {
                self.results.push(false);
                match self.grade {
                    Unknown => self.fall(),
                    Unhealthy => {}
                    Healthy | Degraded if self.row(false) >= self.policy.fall as usize => {
                        self.fall();
                    }
                    Healthy | Degraded => {
                        self.recent.push(false);
                        self.judge();
                    }
                }
            }
            Step::Down => {
                self.results.push(false);
                if self.grade != Unhealthy {
                    self.fall();
                }
            }
            Step::Forget => {
                self.lessons.clear();
                self.slow = false;
            }
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<(Step, u64)>> {
    let usual = || prop_oneof![9 => 8_u64..14, 1 => 14_u64..200].prop_map(Step::Good);
    let phase = prop_oneof![
        4 => usual().boxed(),
        3 => (30_u64..120).prop_map(Step::Good).boxed(),
        2 => prop_oneof![2 => usual(), 1 => Just(Step::Bad)].boxed(),
        1 => prop_oneof![3 => usual(), 1 => Just(Step::Bad)].boxed(),
        2 => Just(Step::Bad).boxed(),
        1 => prop_oneof![Just(Step::Down), Just(Step::Up), Just(Step::Forget), usual()].boxed(),
    ];
    let gaps = || prop_oneof![Just(1_000_u64), 1_u64..3_000, Just(0)];
    let phases =
        (phase, 1_usize..16, gaps()).prop_map(|(step, times, gap)| vec![(step, gap); times]);
    prop::collection::vec(phases, 1..20).prop_map(|phases| phases.concat())
}

#[test]
fn the_vitals_agree_with_a_slow_model() {
    let seen = Seen::new([
        "unknown → healthy",
        "unknown → unhealthy",
        "healthy → degraded",
        "healthy → unhealthy",
        "degraded → healthy",
        "degraded → unhealthy",
        "unhealthy → healthy",
        "unhealthy → degraded",
        "slow",
        "failing",
    ]);
    let settings = (1_u32..5, 1_u32..5, 1.5_f64..4.0, 40_u32..96);
    check(file!(), 2_000, (settings, steps()), |((fall, rise, factor, floor), steps)| {
        let policy = Policy::new()
            .fall(fall)
            .rise(rise)
            .slow_factor(factor)
            .success_floor(Ratio::percent(floor));
        let mut model = Model {
            policy,
            grade: Unknown,
            results: Vec::new(),
            recent: Vec::new(),
            samples: Vec::new(),
            lessons: Vec::new(),
            slow: false,
            failing: false,
            is_close: false,
        };
        let (mut vitals, mut millis, mut has_forgotten) = (Vitals::new(Moment::ORIGIN), 0, false);
        for (step, gap) in steps {
            millis += gap;
            let (now, before) = (Moment::ORIGIN + ms(millis), vitals.grade());
            let change = match step {
                Step::Good(millis) => vitals.good(Some(ms(millis)), &policy, now),
                Step::Bad => vitals.bad(&policy, now),
                Step::Down => vitals.down(now),
                Step::Up => vitals.up(&policy, now),
                Step::Forget => {
                    vitals.forget_baseline();
                    None
                }
            };
            has_forgotten &= change.is_none();
            model.step(step, millis as f64 / 1e3);
            if model.is_close {
                return Ok(());
            }
            prop_assert_eq!(vitals.grade(), model.grade, "after {:?} at {} ms", step, millis);
            let changed = (before != model.grade).then_some((before, model.grade));
            prop_assert_eq!(change, changed);
            prop_assert_eq!(vitals.failures_in_a_row() as usize, model.row(false));
            prop_assert_eq!(vitals.successes_in_a_row() as usize, model.row(true));
            prop_assert_eq!(vitals.success_rate().is_some(), model.rate().is_some());
            if let Some((from, to)) = change {
                prop_assert_eq!(vitals.since(), now);
                seen.note(&format!("{from} → {to}"));
            }
            match vitals.complaint() {
                Some(Complaint::Slow { .. }) => seen.note("slow"),
                Some(Complaint::Failing(_)) => seen.note("failing"),
                None => {
                    has_forgotten |= matches!(step, Step::Forget);
                    prop_assert!(model.grade != Degraded || has_forgotten);
                }
            }
        }
        Ok(())
    });
    seen.all();
}
