use proptest::prelude::*;

use super::*;
use crate::logic::{
    Backoff, Ratio,
    testing::{Seen, check},
};

const MS: u64 = 1_000_000;

/// The documented circuit, slow and obvious: it keeps every call there ever was, and works out
/// from them what it needs to know.
struct Model {
    policy: Policy,
    now: u64,
    hand: Hand,
    phase: Shown,
    /// Counts the changes that make tickets void.
    epoch: u64,
    openings: u32,
    calls: Vec<Call>,
}

#[derive(Clone, Copy, PartialEq)]
enum Hand {
    Off,
    Open(u64),
    Closed(u64),
    MetricsOnly(u64),
}

#[derive(Clone, Copy, PartialEq)]
enum Shown {
    Closed,
    /// Closed since `since`, all calls pass from `until` on; `passed` of the credit is used up.
    Ramp {
        since: u64,
        until: u64,
        credit: f64,
    },
    Open {
        until: u64,
    },
    HalfOpen,
}

#[derive(Clone, Copy)]
struct Call {
    ticket: Ticket,
    epoch: u64,
    /// Its deadline if it is a probe.
    probe: Option<u64>,
    ended: Option<Verdict>,
}

const NEVER: u64 = u64::MAX;

impl Model {
    fn state(&self) -> State {
        match (self.hand, self.phase) {
            (Hand::Open(_), _) => State::ForcedOpen,
            (Hand::Closed(_), _) => State::ForcedClosed,
            (Hand::MetricsOnly(_), _) => State::MetricsOnly,
            (Hand::Off, phase) => phase.state(),
        }
    }

    fn is_forced(&self) -> bool {
        matches!(self.hand, Hand::Open(_) | Hand::Closed(_))
    }

    fn is_counting(&self) -> bool {
        !self.is_forced() && self.phase.state() == State::Closed
    }

    fn probes(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(|call| call.epoch == self.epoch && call.probe.is_some())
    }

    fn deadlines(&self) -> Vec<u64> {
        self.probes().filter(|call| call.ended.is_none()).filter_map(|call| call.probe).collect()
    }

    fn successes(&self) -> usize {
        self.probes().filter(|call| call.ended == Some(Verdict::Success)).count()
    }

    fn change(&mut self, phase: Shown, cause: Cause, lasts_for: Option<Duration>) -> Vec<Change> {
        let (from, to) = (self.phase.state(), phase.state());
        self.phase = phase;
        self.epoch += 1;
        let metrics_only = matches!(self.hand, Hand::MetricsOnly(_));
        if from == to { vec![] } else { vec![Change { from, to, cause, lasts_for, metrics_only }] }
    }

    fn by_hand(&mut self, hand: Hand, cause: Cause, lasts_for: Option<Duration>) -> Vec<Change> {
        let from = self.state();
        self.hand = hand;
        self.phase = Shown::Closed;
        self.epoch += 1;
        let to = self.state();
        if from == to {
            return vec![];
        }
        vec![Change { from, to, cause, lasts_for, metrics_only: false }]
    }

    fn open(&mut self, cause: Cause, random: f64, asked: Option<Duration>) -> Vec<Change> {
        self.openings += 1;
        let waits = self.policy.open_for.wait(self.openings, random);
        let asked =
            asked.map_or(Duration::ZERO, |asked| asked.min(self.policy.longest_retry_after));
        let lasts_for = if asked > waits { asked } else { waits };
        let until = self.now + lasts_for.as_nanos() as u64;
        self.change(Shown::Open { until }, cause, Some(lasts_for))
    }

    fn pass_time(&mut self, random: f64) -> Vec<Change> {
        let (Hand::Open(end) | Hand::Closed(end) | Hand::MetricsOnly(end)) = self.hand else {
            return self.pass_time_by_itself(random);
        };
        if self.now < end {
            return if self.is_forced() { vec![] } else { self.pass_time_by_itself(random) };
        }
        self.openings = 0;
        self.by_hand(Hand::Off, Cause::ForcedTimeOver, None)
    }

    fn pass_time_by_itself(&mut self, random: f64) -> Vec<Change> {
        if matches!(self.phase, Shown::Ramp { until, .. } if until <= self.now) {
            self.phase = Shown::Closed;
        }
        if self.deadlines().iter().any(|deadline| *deadline <= self.now) {
            return self.open(Cause::ProbeOverdue, random, None);
        }
        vec![]
    }

    /// Whether a call passes, or until when it does not, by the rules alone; `None` if it hangs on
    /// the last digit of a sum of shares.
    fn admit(&mut self) -> (Option<Result<(), u64>>, Vec<Change>) {
        match self.hand {
            Hand::Open(until) => return (Some(Err(until)), vec![]),
            Hand::Closed(_) => return (Some(Ok(())), vec![]),
            Hand::Off | Hand::MetricsOnly(_) => {}
        }
        let mut changes = vec![];
        if matches!(self.phase, Shown::Open { until } if until <= self.now) {
            changes = self.change(Shown::HalfOpen, Cause::OpenTimeOver, None);
        }
        let answer = match &mut self.phase {
            Shown::Closed => Some(Ok(())),
            Shown::Open { until } => Some(Err(*until)),
            Shown::Ramp { since, until, credit } => {
                let share = (self.now - *since) as f64 / (*until - *since) as f64;
                *credit += if share < 0.1 { 0.1 } else { share };
                let close = (*credit - 1.0).abs() < 1e-9;
                if close {
                    None
                } else if *credit > 1.0 {
                    *credit -= 1.0;
                    Some(Ok(()))
                } else {
                    Some(Err(*until))
                }
            }
            Shown::HalfOpen => {
                let deadlines = self.deadlines();
                if deadlines.len() < self.policy.probes as usize {
                    Some(Ok(()))
                } else {
                    Some(Err(deadlines.into_iter().min().unwrap_or(NEVER)))
                }
            }
        };
        (answer, changes)
    }

    fn settle(
        &mut self,
        index: usize,
        verdict: Verdict,
        random: f64,
        asked: Option<Duration>,
    ) -> Vec<Change> {
        let call = &mut self.calls[index];
        let first_time = call.ended.is_none();
        call.ended.get_or_insert(verdict);
        if !first_time || call.epoch != self.epoch || call.probe.is_none() {
            return vec![];
        }
        match verdict {
            Verdict::Ignored => vec![],
            Verdict::Failure => self.open(Cause::ProbeFailed, random, asked),
            Verdict::Slow => self.open(Cause::ProbeSlow, random, asked),
            Verdict::Success if self.successes() < self.policy.successes_to_close as usize => {
                vec![]
            }
            Verdict::Success => {
                self.openings = 0;
                let closed = match self.policy.ramp_for {
                    None => Shown::Closed,
                    Some(time) => Shown::Ramp {
                        since: self.now,
                        until: self.now + time.as_nanos() as u64,
                        credit: 1.0,
                    },
                };
                self.change(closed, Cause::ProbesSucceeded, None)
            }
        }
    }

    fn face(&self) -> Face {
        let until = |nanos| Face::Shut(Moment::from_nanos(nanos));
        match (self.hand, self.phase) {
            (Hand::Open(end), _) => until(end),
            (Hand::Closed(NEVER), _) => Face::Free,
            (Hand::Closed(_), _) => Face::Ask,
            (Hand::Off | Hand::MetricsOnly(NEVER), Shown::Closed) => Face::Closed,
            (Hand::MetricsOnly(_), _) | (Hand::Off, Shown::Ramp { .. }) => Face::Ask,
            (Hand::Off, Shown::Open { until: end }) => until(end),
            (Hand::Off, Shown::HalfOpen) => {
                let deadlines = self.deadlines();
                let full = deadlines.len() >= self.policy.probes as usize;
                deadlines.into_iter().min().filter(|_| full).map_or(Face::Ask, until)
            }
        }
    }
}

impl Shown {
    fn state(self) -> State {
        match self {
            Self::Closed | Self::Ramp { .. } => State::Closed,
            Self::Open { .. } => State::Open,
            Self::HalfOpen => State::HalfOpen,
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Admit,
    /// Ends one of the calls that ever passed, perhaps one that has ended before; or the last.
    Settle {
        which: Option<prop::sample::Index>,
        verdict: Verdict,
        asked: Option<u64>,
    },
    Trip {
        back: u64,
        asked: Option<u64>,
    },
    ForceOpen(Option<u64>),
    ForceClosed(Option<u64>),
    MetricsOnly(Option<u64>),
    Release,
    Reset,
    Policy(Policy),
    Renew,
}

fn policy() -> impl Strategy<Value = Policy> {
    let backoff =
        (1u64..=8, 0u64..=40, 1.0f64..4.0, 0u32..=50).prop_map(|(first, more, factor, jitter)| {
            Backoff::growing(Duration::from_millis(first), Duration::from_millis(first + more))
                .factor(factor)
                .jitter(Ratio::percent(jitter))
        });
    let ramp = prop::option::of((1u64..=20).prop_map(Duration::from_millis));
    (backoff, 0u64..=30, 1u32..=4, 1u64..=10, 1u32..=4, ramp).prop_map(
        |(open_for, longest, probes, deadline, successes, ramp_for)| Policy {
            ramp_for,
            ..Policy::manual()
                .open_for(open_for)
                .longest_retry_after(Duration::from_millis(longest))
                .probes(probes)
                .probe_deadline(Duration::from_millis(deadline))
                .successes_to_close(successes)
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let verdict = || {
        prop_oneof![
            6 => Just(Verdict::Success),
            1 => Just(Verdict::Slow),
            1 => Just(Verdict::Failure),
            2 => Just(Verdict::Ignored),
        ]
    };
    let asked = || prop::option::of(0u64..50);
    let end = || prop::option::of(0u64..20);
    prop_oneof![
        60 => (0u64..4).prop_map(Step::Wait),
        20 => (0u64..40).prop_map(Step::Wait),
        120 => Just(Step::Admit),
        100 => (prop::option::weighted(0.4, any::<prop::sample::Index>()), verdict(), asked())
            .prop_map(|(which, verdict, asked)| Step::Settle { which, verdict, asked }),
        30 => (0u64..3, asked()).prop_map(|(back, asked)| Step::Trip { back, asked }),
        2 => end().prop_map(Step::ForceOpen),
        2 => end().prop_map(Step::ForceClosed),
        3 => end().prop_map(Step::MetricsOnly),
        4 => Just(Step::Release),
        3 => Just(Step::Reset),
        4 => policy().prop_map(Step::Policy),
        2 => Just(Step::Renew),
    ]
}

#[test]
fn a_breaker_decides_what_the_rules_say_of_the_list_of_all_calls() {
    let seen = Seen::new([
        "rate of slow calls",
        "open time over",
        "probe failed",
        "probe slow",
        "probe overdue",
        "probes succeeded",
        "by hand",
        "released",
        "forced time over",
        "reset",
        "shadow change",
        "probe",
        "several probes",
        "probe refused",
        "refused while open",
        "refused while forced open",
        "refused on the ramp",
        "passed on the ramp",
        "late ticket",
        "ticket used twice",
        "longer than the backoff",
        "third opening in a row",
        "metrics only, uncounted",
    ]);
    let input = (policy(), prop::collection::vec((step(), 0.0f64..1.0), 0..150));
    check(file!(), 1_000, input, |(policy, steps)| {
        let start = 3_600_000 * MS;
        let mut breaker = Breaker::new(7);
        let mut model = Model {
            policy,
            now: start,
            hand: Hand::Off,
            phase: Shown::Closed,
            epoch: 7,
            openings: 0,
            calls: vec![],
        };
        // What any circuit must keep, looked after without the model.
        let mut no_call_before = 0;
        for (step, random) in steps {
            if let Step::Wait(millis) = step {
                model.now += millis * MS;
            }
            if let Step::Policy(policy) = step {
                model.policy = policy;
            }
            let policy = model.policy;
            let now = Moment::from_nanos(model.now);
            let setting = Setting { policy: &policy, now, random };
            let millis = |asked: Option<u64>| asked.map(Duration::from_millis);
            let until = |end| millis(end).map_or(Moment::NEVER, |end| now + end);
            let mut changes: Vec<_> = breaker.pass_time(setting).into_iter().collect();
            let mut expected = model.pass_time(random);
            match step {
                Step::Wait(_) | Step::Policy(_) => {}
                Step::Admit => {
                    let (answer, change) = breaker.admit(setting);
                    changes.extend(change);
                    let (by_rules, change) = model.admit();
                    expected.extend(change);
                    check_admission(&seen, &breaker, &mut model, answer, by_rules)?;
                    prop_assert!(answer.is_err() || model.now >= no_call_before);
                }
                Step::Settle { .. } if model.calls.is_empty() => {}
                Step::Settle { which, verdict, asked } => {
                    let last = model.calls.len() - 1;
                    let index = which.map_or(last, |which| which.index(last + 1));
                    let (call, asked) = (model.calls[index], millis(asked));
                    changes.extend(breaker.settle(call.ticket, verdict, setting, asked));
                    expected.extend(model.settle(index, verdict, random, asked));
                    if call.epoch != model.epoch && call.probe.is_some() {
                        seen.note("late ticket");
                    } else if call.ended.is_some() && call.probe.is_some() {
                        seen.note("ticket used twice");
                    }
                }
                Step::Trip { back, asked } => {
                    let (cause, asked) = (Cause::SlowCallRate, millis(asked));
                    changes.extend(breaker.trip(breaker.period() - back, cause, setting, asked));
                    if back == 0 && model.is_counting() {
                        expected.extend(model.open(cause, random, asked));
                    }
                }
                Step::ForceOpen(end) => {
                    let until = until(end);
                    changes.extend(breaker.force_open(until, now));
                    let hand = Hand::Open(until.as_nanos());
                    expected.extend(model.by_hand(hand, Cause::Forced, millis(end)));
                }
                Step::ForceClosed(end) => {
                    let until = until(end);
                    changes.extend(breaker.force_closed(until, now));
                    let hand = Hand::Closed(until.as_nanos());
                    expected.extend(model.by_hand(hand, Cause::Forced, millis(end)));
                }
                Step::MetricsOnly(end) => {
                    let until = until(end);
                    changes.extend(breaker.metrics_only(until, now));
                    model.openings = 0;
                    let hand = Hand::MetricsOnly(until.as_nanos());
                    expected.extend(model.by_hand(hand, Cause::Forced, millis(end)));
                }
                Step::Release => {
                    changes.extend(breaker.release());
                    if model.hand != Hand::Off {
                        model.openings = 0;
                        expected.extend(model.by_hand(Hand::Off, Cause::Released, None));
                    }
                }
                Step::Reset => {
                    changes.extend(breaker.reset());
                    model.openings = 0;
                    if !model.is_forced() {
                        expected.extend(model.change(Shown::Closed, Cause::Reset, None));
                    }
                }
                Step::Renew => {
                    breaker.renew_period();
                    model.epoch += 1;
                    // Of use for a closed circuit only: probes would be lost to it.
                    if model.phase == Shown::HalfOpen {
                        return Ok(());
                    }
                }
            }
            for change in &changes {
                seen.note(if change.metrics_only {
                    "shadow change"
                } else {
                    change.cause.as_str()
                });
                no_call_before = match change {
                    Change {
                        to: State::Open, lasts_for: Some(time), metrics_only: false, ..
                    } => model.now + time.as_nanos() as u64,
                    Change { metrics_only: true, .. } => no_call_before,
                    _ => 0,
                };
                let longest = policy.open_for.longest();
                if change.to == State::Open && change.lasts_for > Some(longest) {
                    seen.note("longer than the backoff");
                }
            }
            if breaker.openings() == 3 && !changes.is_empty() {
                seen.note("third opening in a row");
            }
            prop_assert_eq!(changes, expected);
            prop_assert_eq!(breaker.state(), model.state());
            prop_assert_eq!(breaker.face(&policy), model.face());
            prop_assert_eq!(breaker.period(), model.epoch);
            prop_assert_eq!(breaker.openings(), model.openings);
            prop_assert_eq!(breaker.is_counting(), model.is_counting());
            let probes = if model.is_forced() { 0 } else { model.deadlines().len() };
            prop_assert_eq!(breaker.probes_in_flight(), probes);
        }
        Ok(())
    });
    seen.all();
}

/// Compares an admission with the rules, takes it into the list, and looks after what holds for
/// every circuit.
fn check_admission<const N: usize>(
    seen: &Seen<N>,
    breaker: &Breaker,
    model: &mut Model,
    answer: Result<Ticket, Refusal>,
    by_rules: Option<Result<(), u64>>,
) -> Result<(), TestCaseError> {
    let metrics_only = matches!(model.hand, Hand::MetricsOnly(_));
    let by_rules = match (by_rules, &mut model.phase) {
        (Some(by_rules), _) => by_rules,
        (None, Shown::Ramp { credit, until, .. }) => {
            let passed = answer.is_ok_and(|ticket| ticket != Ticket::UNCOUNTED);
            *credit -= f64::from(u8::from(passed));
            if passed { Ok(()) } else { Err(*until) }
        }
        (None, _) => unreachable!("only a ramp is in doubt"),
    };
    let uncounted = match by_rules {
        Err(_) => metrics_only,
        Ok(()) => matches!(model.hand, Hand::Closed(_)),
    };
    prop_assert!(answer.is_ok() || !metrics_only, "metrics-only refused");
    match (answer, by_rules) {
        (Ok(Ticket::UNCOUNTED), _) if uncounted => {
            if metrics_only {
                seen.note("metrics only, uncounted");
            }
        }
        (Ok(ticket), Ok(())) if !uncounted => {
            let half_open = model.phase == Shown::HalfOpen;
            prop_assert_eq!(ticket.period, model.epoch);
            prop_assert_eq!(ticket.probe != 0, half_open);
            prop_assert!(model.calls.iter().all(|call| !half_open || call.ticket != ticket));
            let deadline = model.now + model.policy.probe_deadline.as_nanos() as u64;
            let probe = half_open.then_some(deadline);
            model.calls.push(Call { ticket, epoch: model.epoch, probe, ended: None });
            if half_open {
                prop_assert!(breaker.probes_in_flight() <= model.policy.probes as usize);
                let overdue = model.deadlines().iter().any(|deadline| *deadline <= model.now);
                prop_assert!(!overdue, "half-open beyond a deadline");
                seen.note(if model.deadlines().len() > 1 { "several probes" } else { "probe" });
            } else if matches!(model.phase, Shown::Ramp { .. }) {
                seen.note("passed on the ramp");
            }
        }
        (Err(refusal), Err(until)) if !uncounted => {
            prop_assert_eq!(refusal.until.as_nanos(), until);
            prop_assert!(until > model.now, "told to come back at once");
            seen.note(match model.phase {
                _ if model.is_forced() => "refused while forced open",
                Shown::Open { .. } => "refused while open",
                Shown::HalfOpen => "probe refused",
                Shown::Closed | Shown::Ramp { .. } => "refused on the ramp",
            });
        }
        _ => prop_assert!(false, "{answer:?}, but by the rules {by_rules:?}"),
    }
    Ok(())
}
