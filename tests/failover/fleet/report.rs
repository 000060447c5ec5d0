use std::{collections::BTreeMap, fmt, time::Duration};

/// What was to be seen of a fleet.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) seed: u64,
    pub(super) counts: BTreeMap<&'static str, usize>,
    pub(super) slowest: Duration,
    /// What should not have happened.
    pub(super) breaches: Vec<String>,
}

/// More of them say nothing new.
const MOST_BREACHES: usize = 10;

impl Report {
    pub(super) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    pub(super) fn of(&self, what: &str) -> usize {
        self.counts.get(what).copied().unwrap_or_default()
    }

    pub(super) fn breach(&mut self, what: String) {
        if self.breaches.len() < MOST_BREACHES {
            self.breaches.push(what);
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        for (what, count) in other.counts {
            *self.counts.entry(what).or_default() += count;
        }
        self.slowest = self.slowest.max(other.slowest);
    }

    /// Fails if one of these never happened: then the test has tested nothing.
    pub(super) fn has_happened(&self, all: &[&str]) {
        for what in all {
            assert!(self.of(what) > 0, "never happened: {what}; {self}");
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FLEET_SEED={} slowest={:?}", self.seed, self.slowest)?;
        self.counts.iter().try_for_each(|(what, count)| write!(f, " {what}={count}"))?;
        self.breaches.iter().try_for_each(|breach| write!(f, "\n  {breach}"))
    }
}
