use std::{collections::BTreeMap, fmt, io::Write, time::Duration};

use tower_failover::{circuit_breaker::State, event::Transition};

use crate::{
    BUSY, Fault, GRACE,
    call::{Call, End, Read},
    honest,
    page::Kind,
    record::Record,
    stack::{HARD, OPEN_FOR, PLACES, SOFT},
};

/// What is asked of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Guarantee {
    /// G1: no head came later than its budget.
    Budget,
    /// Who could have a stale page got a page.
    Answered,
    /// G3: the fault was noticed in time.
    Seen,
    /// G4: the origin was used again in time.
    Back,
    /// G5: nothing is left.
    NoLeak,
    /// G7: what is not of the origin is marked, within its limit, and nobody else's; no part is
    /// served as a whole.
    Honest,
    /// The circuit opens for as long as it should, closes after it, and stays closed.
    Settled,
    /// The faults, the calls and the answers of all kinds were real.
    Happened,
}

/// What a row came to.
#[derive(Debug)]
pub(crate) struct Report {
    line: String,
    violations: BTreeMap<Guarantee, Vec<String>>,
}

impl Report {
    pub(crate) fn of(fault: Fault, seed: u64, cycles: usize, records: Vec<Record>) -> Self {
        let mut report = Self { line: String::new(), violations: BTreeMap::new() };
        for record in &records {
            for call in &record.calls {
                report.judge_call(call);
            }
            report.judge_rest(record, fault);
        }
        let calls = || records.iter().flat_map(|record| &record.calls);
        let covered = calls().filter(|call| call.key.kind.is_covered());
        let soft = report.judge_latency(SOFT, cycles, covered);
        let others = calls().filter(|call| !call.key.kind.is_covered());
        let hard = report.judge_latency(HARD, cycles, others);
        let x = records.iter().flat_map(Record::seen_after).collect();
        let x = report.judge_times(Guarantee::Seen, SOFT + Duration::from_millis(50), x);
        let y = records.iter().flat_map(Record::back_after).collect();
        let bound = OPEN_FOR + fault.goes_on_for() + Duration::from_millis(250);
        let y = report.judge_times(Guarantee::Back, bound, y);

        let faults = records.iter().flat_map(|record| &record.cycles);
        let faults = faults.filter(|cycle| cycle.happened).count();
        let tally = Tally::of(calls());
        let late: usize = records.iter().map(|record| record.late).sum();
        report.line = format!(
            "fault={fault:?} faults={faults}/{cycles} {tally} late={late} soft_ms={soft} \
             hard_ms={hard} x_ms={x} y_ms={y} opened={} seed={seed}",
            records.iter().map(opened).sum::<usize>()
        );
        report.unless(faults == cycles, Guarantee::Happened, || format!("{faults} faults"));
        let needed = tally.needed(fault).into_iter().chain([("late", late)]);
        for (what, count) in needed {
            report.unless(count > 0, Guarantee::Happened, || format!("no {what}"));
        }
        report
    }

    /// Prints the row's line, and fails unless everything held.
    #[track_caller]
    pub(crate) fn holds(self) {
        // Past the test harness, which keeps the output of tests that pass to itself.
        let _ = writeln!(std::io::stdout(), "{}", self.line);
        assert!(self.violations.is_empty(), "{self}");
    }

    fn unless(&mut self, holds: bool, guarantee: Guarantee, what: impl FnOnce() -> String) {
        if !holds {
            self.violations.entry(guarantee).or_default().push(what());
        }
    }

    fn judge_call(&mut self, call: &Call) {
        let dishonest = honest::judge(call);
        self.unless(dishonest.is_none(), Guarantee::Honest, || {
            format!("{}: {call:?}", dishonest.unwrap_or_default())
        });
        let has_page = matches!(call.end, End::Page { .. });
        let is_answered = has_page || !call.key.kind.is_covered();
        self.unless(is_answered, Guarantee::Answered, || format!("{call:?}"));
        let is_hung = matches!(call.end, End::Hung);
        self.unless(!is_hung, Guarantee::Budget, || format!("{call:?}"));
    }

    /// The worst call keeps its budget but for what a busy machine adds; half of the slow ones keep
    /// the bare one, if there is one for each fault.
    fn judge_latency<'a>(
        &mut self,
        budget: Duration,
        faults: usize,
        calls: impl Iterator<Item = &'a Call>,
    ) -> String {
        let mut slow: Vec<_> = calls.map(Call::took).filter(|took| *took > budget / 2).collect();
        slow.sort_unstable();
        let worst = slow.last().copied().unwrap_or_default();
        let middle = slow.get(slow.len() / 2).copied().unwrap_or_default();
        let limit = budget + GRACE;
        let in_time = worst <= limit + BUSY && (middle <= limit || slow.len() < faults);
        self.unless(in_time, Guarantee::Budget, || {
            format!("of {budget:?}: up to {worst:?}, half of {} slow ones {middle:?}", slow.len())
        });
        middle_and_worst(middle, worst)
    }

    fn judge_times(
        &mut self,
        guarantee: Guarantee,
        bound: Duration,
        times: Vec<Option<Duration>>,
    ) -> String {
        let never = times.iter().filter(|time| time.is_none()).count();
        let mut known: Vec<_> = times.into_iter().flatten().collect();
        known.sort_unstable();
        let middle = known.get(known.len() / 2).copied().unwrap_or_default();
        let worst = known.last().copied().unwrap_or_default();
        self.unless(never == 0, guarantee, || format!("never in {never} cycles"));
        self.unless(middle <= bound && worst <= bound + BUSY, guarantee, || {
            format!("up to {worst:?}, in half of the cycles {middle:?}, not {bound:?}")
        });
        middle_and_worst(middle, worst)
    }

    fn judge_rest(&mut self, record: &Record, fault: Fault) {
        let Record { before, after, tasks_left, sockets_left, hanging, .. } = record;
        // A load that is left over, or a place that is lost, would have callers wait or go without.
        // A few may have waited for the machine until their time was over.
        let at_rest = || before.calls.iter().chain(&after.calls);
        let waited = |call: &&Call| call.is_stale() && call.took() > SOFT / 2;
        for call in at_rest() {
            let is_right = call.is_primary() || waited(&call);
            self.unless(is_right, Guarantee::NoLeak, || format!("at rest {call:?}"));
            self.judge_call(call);
        }
        let (waited, all) = (at_rest().filter(waited).count(), at_rest().count());
        self.unless(waited * 4 < all, Guarantee::NoLeak, || {
            format!("at rest {waited} of {all} calls are late")
        });
        let things = |rest: &crate::record::Rest| {
            [rest.tasks, rest.sockets, rest.loads, rest.entries, rest.weight as usize]
        };
        self.unless(things(before) == things(after) && after.loads == 0, Guarantee::NoLeak, || {
            format!(
                "tasks, sockets, loads, entries, weight: {:?} before, {:?} after",
                things(before),
                things(after)
            )
        });
        let covered = record.before.calls.iter().filter(|call| call.key.kind.is_covered()).count();
        self.unless(before.entries == covered && before.tasks > 0, Guarantee::Happened, || {
            format!("{} entries, {} tasks at rest", before.entries, before.tasks)
        });
        self.unless(record.reloaded == PLACES, Guarantee::NoLeak, || {
            format!("{} of {PLACES} places work, {} late", record.reloaded, record.late)
        });
        self.unless(*tasks_left == 0 && *sockets_left == 0, Guarantee::NoLeak, || {
            format!("{tasks_left} tasks and {sockets_left} sockets are left")
        });
        self.unless(*hanging == 0, Guarantee::Budget, || format!("{hanging} calls never ended"));
        let is_calm = record.is_settled && record.transitions_at_rest == 0;
        self.unless(is_calm, Guarantee::Settled, || {
            let last = record.transitions.last();
            format!("{} more transitions after {last:?}", record.transitions_at_rest)
        });
        let asked_for = if fault == Fault::Unavailable { fault.goes_on_for() } else { OPEN_FOR };
        let openings = record.transitions.iter().filter(|it| is_opening(it));
        let is_heeded = openings.clone().any(|it| it.lasts_for() >= Some(asked_for));
        self.unless(is_heeded || openings.count() == 0, Guarantee::Settled, || {
            format!("never open for {asked_for:?}")
        });
        let (opened, cycles) = (opened(record), record.cycles.len());
        self.unless(2 * opened >= cycles || !fault.opens(), Guarantee::Happened, || {
            format!("opened {opened} times in {cycles} faults")
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

/// What the callers got.
#[derive(Default)]
struct Tally(BTreeMap<&'static str, usize>);

impl Tally {
    fn of<'a>(calls: impl Iterator<Item = &'a Call>) -> Self {
        let mut tally = Self::default();
        for call in calls {
            *tally.0.entry(what(call)).or_default() += 1;
            if call.key.kind == Kind::Short && !matches!(call.end, End::Page { .. }) {
                *tally.0.entry("gone").or_default() += 1;
            }
        }
        tally
    }

    /// What is not to be missing in the row of this fault.
    fn needed(&self, fault: Fault) -> Vec<(&'static str, usize)> {
        let mut all = vec!["primary", "fresh", "shared", "stale"];
        if fault.opens() {
            all.push("refused");
        }
        match fault {
            Fault::CutBody => all.push("cut"),
            Fault::Endless => all.extend(["given_up", "elapsed"]),
            Fault::Unavailable => all.push("unavailable"),
            Fault::Outage => all.extend(["gone", "failed"]),
            Fault::CutHead
            | Fault::Refused
            | Fault::Mute
            | Fault::Held
            | Fault::Garbage
            | Fault::Delayed
            | Fault::Killed => all.push("failed"),
        }
        all.into_iter().map(|what| (what, self.0.get(what).copied().unwrap_or(0))).collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls: usize = self.0.iter().filter(|(what, _)| **what != "gone").map(|it| it.1).sum();
        write!(f, "calls={calls}")?;
        self.0.iter().try_for_each(|(what, count)| write!(f, " {what}={count}"))
    }
}

fn what(call: &Call) -> &'static str {
    match &call.end {
        End::Page { body: Read::Cut, .. } => "cut",
        End::Page { body: Read::GivenUp, .. } => "given_up",
        End::Page { body: Read::Wrong(_), .. } => "wrong",
        End::Page { told, body: Read::Whole(_) } if told.age.is_none() => "primary",
        End::Page { told, body: Read::Whole(_) } if told.is_stale => "stale",
        End::Page { told, body: Read::Whole(_) } if told.cache_status.contains("hit") => "fresh",
        End::Page { body: Read::Whole(_), .. } => "shared",
        End::Unavailable => "unavailable",
        End::Refused => "refused",
        End::Elapsed => "elapsed",
        End::Failed(_) => "failed",
        End::Hung => "hung",
    }
}

fn opened(record: &Record) -> usize {
    record.transitions.iter().filter(|it| is_opening(it)).count()
}

fn is_opening(transition: &Transition) -> bool {
    transition.from() == State::Closed && transition.to() == State::Open
}

fn middle_and_worst(middle: Duration, worst: Duration) -> String {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    format!("{:.1}/{:.1}", ms(middle), ms(worst))
}
