/// How many of the probes of one check must succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Quorum {
    /// All of them.
    All,
    /// More than half.
    Majority,
    /// One.
    Any,
}

impl Quorum {
    /// What the check says, once that is certain: whether it is good.
    pub(crate) fn verdict(self, good: usize, bad: usize, probes: usize) -> Option<bool> {
        let needed = match self {
            Self::All => probes,
            Self::Majority => probes / 2 + 1,
            Self::Any => 1,
        };
        if good >= needed {
            Some(true)
        } else if probes - bad < needed {
            Some(false)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_decided_as_soon_as_it_can_be_and_no_sooner() {
        for quorum in [Quorum::All, Quorum::Majority, Quorum::Any] {
            for probes in 1..=7 {
                for (good, bad) in (0..=probes).flat_map(|g| (0..=probes - g).map(move |b| (g, b)))
                {
                    let is_good = |good: usize| match quorum {
                        Quorum::All => good == probes,
                        Quorum::Majority => 2 * good > probes,
                        Quorum::Any => good > 0,
                    };
                    let ends: Vec<_> = (good..=probes - bad).map(is_good).collect();
                    let sure = ends.iter().all(|end| *end == ends[0]).then_some(ends[0]);
                    let verdict = quorum.verdict(good, bad, probes);
                    assert_eq!(verdict, sure, "{quorum:?}: {good} + {bad} of {probes}");
                }
            }
        }
    }
}
