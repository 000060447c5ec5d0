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

/// Runs a property that does not hold, and says how that is found; keeps nothing.
pub(super) fn finds<S: Strategy>(
    cases: u32,
    strategy: S,
    property: impl Fn(S::Value) -> Result<(), TestCaseError>,
) -> String {
    let config = ProptestConfig {
        cases,
        max_shrink_iters: 0,
        failure_persistence: None,
        ..Default::default()
    };
    match TestRunner::new(config).run(&strategy, property) {
        Ok(()) => panic!("the property holds"),
        Err(TestError::Fail(why, _) | TestError::Abort(why)) => why.to_string(),
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
