use std::collections::BTreeMap;

use crate::{caller::Caller, origin::Phase, scope::Scope, shown::Shown};

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Origin,
    Fresh,
    Stale,
    /// It was the answer to another caller's call, which ran at the time.
    Coalesced,
    /// It answers the request of one who left.
    HandedOn,
    /// The caller got no page.
    Refused,
}

/// How many answers of each kind users and others got; and how many heads there are among them.
#[derive(Debug, Default)]
pub(crate) struct Tally(BTreeMap<(Phase, Kind, bool), usize>, BTreeMap<Kind, usize>);

impl Tally {
    pub(crate) fn count(&mut self, phase: Phase, kind: Kind, caller: Caller) {
        *self.0.entry((phase, kind, caller != Caller::Nobody)).or_default() += 1;
    }

    pub(crate) fn count_head(&mut self, kind: Kind) {
        *self.1.entry(kind).or_default() += 1;
    }

    pub(crate) fn total(&self) -> usize {
        self.0.values().sum()
    }

    fn of_users(&self, phase: Phase, kind: Kind) -> usize {
        self.0.get(&(phase, kind, true)).copied().unwrap_or_default()
    }

    fn of_all(&self, phase: Phase, kind: Kind) -> usize {
        let of_nobody = self.0.get(&(phase, kind, false)).copied().unwrap_or_default();
        self.of_users(phase, kind) + of_nobody
    }

    /// A table without a single hit would prove nothing.
    pub(crate) fn check(&self, scope: Scope) {
        let from_cache = [
            (Phase::Up, Kind::Fresh),
            (Phase::Up, Kind::Coalesced),
            (Phase::Up, Kind::HandedOn),
            (Phase::Failing, Kind::Fresh),
            (Phase::Failing, Kind::Stale),
            (Phase::Down, Kind::Fresh),
            (Phase::Down, Kind::Stale),
        ];
        for (phase, kind) in from_cache {
            assert!(self.of_all(phase, kind) > 0, "no {kind:?} in {phase:?}: {self:#?}");
            let of_users = self.of_users(phase, kind);
            let expects_users = scope != Scope::Anonymous;
            assert_eq!(of_users > 0, expects_users, "{of_users} {kind:?} in {phase:?}: {self:#?}");
        }
        for kind in [Kind::Fresh, Kind::Stale, Kind::Coalesced, Kind::HandedOn] {
            assert!(self.1.contains_key(&kind), "no {kind:?} head: {self:#?}");
        }
        let others = [
            (Phase::Up, Kind::Origin),
            (Phase::Failing, Kind::Origin),
            (Phase::Down, Kind::Refused),
        ];
        for (phase, kind) in others {
            assert!(self.of_users(phase, kind) > 0, "no {kind:?} in {phase:?}: {self:#?}");
        }
        for (phase, kind) in [(Phase::Up, Kind::Refused), (Phase::Down, Kind::Origin)] {
            assert_eq!(self.of_all(phase, kind), 0, "{kind:?} in {phase:?}: {self:#?}");
        }
    }
}

impl Kind {
    /// What the cache says of an answer.
    pub(crate) fn told(shown: &Shown) -> Self {
        if shown.user.is_none() {
            Self::Refused
        } else if shown.cache_status.contains("; hit") {
            Self::Fresh
        } else if shown.cache_status.contains("; fwd=stale") {
            Self::Stale
        } else {
            Self::Origin
        }
    }
}
