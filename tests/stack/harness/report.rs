use std::{collections::BTreeMap, fmt, io::Write, time::Duration};

use tower_failover::circuit_breaker::State;

use super::{
    BUDGET, BUSY, GRACE, PROBES,
    record::{Connects, From, Record},
};

/// What is asked of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guarantee {
    /// G1: no call returned later than its budget.
    Budget,
    /// Every caller got an answer.
    Answered,
    /// And the right one.
    Right,
    /// G3: the fault was noticed in time.
    Seen,
    /// G4: Redis was used again in time.
    Back,
    /// G4: not by all at once.
    NoHerd,
    /// G5: nothing is left.
    NoLeak,
    /// G6: states and events agree with the record.
    Truth,
    /// The faults, the calls and the answers of both kinds were real.
    Happened,
}

/// The X and the Y of the table.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub x: Duration,
    pub y: Duration,
}

/// What a row came to.
#[derive(Debug)]
pub struct Report {
    name: &'static str,
    line: String,
    faults: usize,
    violations: BTreeMap<Guarantee, Vec<String>>,
}

impl Report {
    /// Judges what the stacks of a row went through.
    pub fn of(
        name: &'static str,
        seed: u64,
        cycles: usize,
        bounds: Bounds,
        mut records: Vec<Record>,
    ) -> Self {
        for record in &mut records {
            record.calls.sort_by_key(|call| call.ended);
        }
        let mut report = Self { name, line: String::new(), faults: 0, violations: BTreeMap::new() };
        for record in &records {
            report.judge_calls(record);
            report.judge_circuit(record);
            report.judge_rest(record);
        }
        let slow = report.judge_latency(&records);
        let x: Vec<_> = records.iter().flat_map(Record::seen_after).collect();
        let y: Vec<_> = records.iter().flat_map(Record::back_after).collect();
        let seen = report.judge_times(Guarantee::Seen, bounds.x, &x);
        let back = report.judge_times(Guarantee::Back, bounds.y, &y);

        let calls = || records.iter().flat_map(|record| &record.calls);
        let count = |from: fn(&From) -> bool| calls().filter(|call| from(&call.from)).count();
        let (redis, fallback) = (count(|f| *f == From::Redis), count(|f| *f == From::Fallback));
        let cycles_of = || records.iter().flat_map(|record| &record.cycles);
        let faults = cycles_of().filter(|cycle| cycle.happened).count();
        report.faults = faults;
        for (what, n, least) in
            [("primary", redis, 1), ("fallback", fallback, 1), ("faults", faults, cycles)]
        {
            report.unless(n >= least, Guarantee::Happened, || format!("{what}={n}, not {least}"));
        }
        let mut errors = BTreeMap::<&str, u64>::new();
        for (error, n) in records.iter().flat_map(|record| &record.errors) {
            *errors.entry(error).or_default() += n;
        }
        let connects: u64 = cycles_of().filter_map(|c| c.connects).map(|c| c.made).sum();
        report.line = format!(
            "row={name} faults={faults}/{cycles} calls={} primary={redis} fallback={fallback} \
             failed={} x_ms={seen} y_ms={back} {slow} opened={} probes={} most_probes={} \
             connects={connects} seed={seed} errors={errors:?}",
            calls().count(),
            count(|from| matches!(from, From::Nobody(_))),
            records.iter().map(opened).sum::<usize>(),
            records.iter().map(|record| record.probes).sum::<u64>(),
            records.iter().map(|record| record.most_probing).max().unwrap_or(0),
        );
        report
    }

    /// Prints the row's line, and fails unless everything held.
    #[track_caller]
    pub fn holds(self) {
        self.print("");
        assert!(self.violations.is_empty(), "{self}");
    }

    /// For a twin: prints the line, and fails unless the seeded bug was found out in this way.
    #[track_caller]
    pub fn violates(self, guarantee: Guarantee) {
        let found: Vec<_> = self.violations.keys().collect();
        self.print(&format!(" twin found={found:?}"));
        assert!(
            self.violations.contains_key(&guarantee),
            "the seeded bug does not violate {guarantee:?}: {self}"
        );
        // A row that ends with its first fault cannot always show that it was real.
        let gave_up = self.violations.contains_key(&Guarantee::Back);
        assert!(self.faults > 0 || gave_up || guarantee == Guarantee::Happened, "{self}");
    }

    /// Past the test harness, which keeps the output of tests that pass to itself.
    fn print(&self, more: &str) {
        let _ = writeln!(std::io::stdout(), "{}{more}", self.line);
    }

    pub fn unless(&mut self, holds: bool, guarantee: Guarantee, what: impl FnOnce() -> String) {
        if !holds {
            self.violations.entry(guarantee).or_default().push(what());
        }
    }

    fn judge_calls(&mut self, record: &Record) {
        for call in &record.calls {
            if let From::Nobody(error) = &call.from {
                self.unless(false, Guarantee::Answered, || error.clone());
            }
            self.unless(!call.is_wrong, Guarantee::Right, || "another's answer".into());
        }
        let hanging = record.hanging;
        self.unless(hanging == 0, Guarantee::Budget, || format!("{hanging} calls never ended"));
    }

    /// The worst call keeps its budget but for what a busy machine adds. Where each fault makes
    /// calls slow, half of the slow ones keep the bare one; elsewhere the few there are owe it to
    /// the machine.
    fn judge_latency(&mut self, records: &[Record]) -> String {
        let limit = BUDGET + GRACE;
        let mut slow: Vec<_> = records
            .iter()
            .flat_map(|record| &record.calls)
            .map(|call| call.took())
            .filter(|took| *took > BUDGET / 2)
            .collect();
        slow.sort_unstable();
        let worst = slow.last().copied().unwrap_or_default();
        let middle = slow.get(slow.len() / 2).copied().unwrap_or_default();
        let late = slow.iter().filter(|took| **took > limit).count();
        let faults: usize = records.iter().map(|record| record.cycles.len()).sum();
        let in_time = worst <= limit + BUSY && (middle <= limit || slow.len() < faults);
        self.unless(in_time, Guarantee::Budget, || {
            format!("calls took up to {worst:?}, half of {} slow ones {middle:?}", slow.len())
        });
        format!("slow={} late={late} slow_ms={}", slow.len(), middle_and_worst(middle, worst))
    }

    fn judge_times(
        &mut self,
        guarantee: Guarantee,
        bound: Duration,
        times: &[Option<Duration>],
    ) -> String {
        let never = times.iter().filter(|time| time.is_none()).count();
        let mut known: Vec<_> = times.iter().flatten().copied().collect();
        known.sort_unstable();
        let middle = known.get(known.len() / 2).copied().unwrap_or_default();
        let worst = known.last().copied().unwrap_or_default();
        self.unless(never == 0, guarantee, || {
            format!("never in {never} of {} cycles", times.len())
        });
        self.unless(middle <= bound && worst <= bound + BUSY, guarantee, || {
            format!("up to {worst:?}, in half of the cycles {middle:?}, not {bound:?}")
        });
        middle_and_worst(middle, worst)
    }

    fn judge_circuit(&mut self, record: &Record) {
        let probing = record.most_probing;
        self.unless(probing <= u64::from(PROBES), Guarantee::NoHerd, || {
            format!("{probing} probes at a time")
        });
        for Connects { made, most } in record.cycles.iter().filter_map(|cycle| cycle.connects) {
            self.unless(made <= most, Guarantee::NoHerd, || {
                format!("{made} connections where {most} were enough")
            });
        }
        self.unless(!record.transitions_lost, Guarantee::Truth, || "the history is full".into());
        let mut state = State::Closed;
        let mut at = None;
        for transition in &record.transitions {
            let legal = matches!(
                (transition.from(), transition.to()),
                (State::Closed | State::HalfOpen, State::Open)
                    | (State::Open, State::HalfOpen)
                    | (State::HalfOpen, State::Closed)
            );
            let follows = transition.from() == state && at <= Some(transition.at());
            self.unless(legal && follows, Guarantee::Truth, || format!("{state}: {transition}"));
            (state, at) = (transition.to(), Some(transition.at()));
        }
        self.unless(state == State::Closed, Guarantee::Truth, || format!("ends {state}"));
        let (opened, cycles) = (opened(record), record.cycles.len());
        self.unless(opened >= cycles, Guarantee::Truth, || {
            format!("opened {opened} times in {cycles} faults")
        });
    }

    fn judge_rest(&mut self, record: &Record) {
        let fallbacks = record.calls.iter().filter(|call| call.from == From::Fallback).count();
        let told = record.fell_back;
        self.unless(told == fallbacks as u64, Guarantee::Truth, || {
            format!("{told} events of {fallbacks} fallbacks")
        });
        let Record { tasks_left, sockets_left, sockets_in_use, .. } = record;
        self.unless(*tasks_left == 0 && *sockets_left == 0, Guarantee::NoLeak, || {
            format!("{tasks_left} tasks and {sockets_left} sockets are left")
        });
        self.unless(*sockets_in_use <= 1, Guarantee::NoLeak, || {
            format!("{sockets_in_use} sockets for one connection")
        });
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.line)?;
        for (guarantee, found) in &self.violations {
            write!(f, "\n{guarantee:?}: {} times, e.g. {}", found.len(), found[0])?;
        }
        Ok(())
    }
}

fn opened(record: &Record) -> usize {
    let opened = |from, to| from == State::Closed && to == State::Open;
    record.transitions.iter().filter(|t| opened(t.from(), t.to())).count()
}

fn middle_and_worst(middle: Duration, worst: Duration) -> String {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    format!("{:.1}/{:.1}", ms(middle), ms(worst))
}
