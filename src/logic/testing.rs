//! How the random tests of this ring are run.

use std::cell::Cell;

use proptest::{
    prelude::*,
    test_runner::{TestError, TestRunner},
};

/// Runs a property on `cases` random values, or on as many as `PROPTEST_CASES` says if those are
/// more. A value that fails is made small, shown, and its seed is kept in `proptest-regressions`.
pub(super) fn check<S: Strategy>(
    file: &'static str,
    cases: u32,
    strategy: S,
    property: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let mut config = ProptestConfig::with_source_file(file);
    config.cases = config.cases.max(cases);
    match TestRunner::new(config).run(&strategy, property) {
        Ok(()) => {}
        Err(TestError::Fail(why, value)) => panic!("{why}\nwith {value:#?}"),
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
}

/// How often something happened that a test is about.
#[derive(Debug)]
pub(super) struct Seen<const N: usize> {
    names: [&'static str; N],
    counts: [Cell<u64>; N],
}

impl<const N: usize> Seen<N> {
    pub(super) fn new(names: [&'static str; N]) -> Self {
        Self { names, counts: [const { Cell::new(0) }; N] }
    }

    pub(super) fn note(&self, name: &str) {
        let place = self.names.iter().position(|known| *known == name);
        let count = &self.counts[place.unwrap_or_else(|| panic!("unknown: {name}"))];
        count.set(count.get() + 1);
    }

    /// Fails if one of them never happened: then the test has tested nothing.
    pub(super) fn all(&self) {
        for (name, count) in self.names.iter().zip(&self.counts) {
            assert!(count.get() > 0, "never happened: {name}");
        }
    }
}
