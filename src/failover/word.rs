use std::sync::atomic::{AtomicU64, Ordering};

use crate::logic::roster::MemberId;

/// Who serves and whether a call has more to do than to go there, in one atomic word.
///
/// Written with the switchboard's lock held, so that the last writer knew the last state.
#[derive(Debug)]
pub(super) struct Word(AtomicU64);

/// What the [`Word`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sign {
    pub(super) active: Option<MemberId>,
    /// It has not answered a call since it became the active one.
    pub(super) is_unconfirmed: bool,
    /// It gets a share of the calls.
    pub(super) is_ramping: bool,
    /// A call that may be repeated may go to one that is out, to try it.
    pub(super) wants_trial: bool,
}

const NOBODY: u32 = u32::MAX;
const UNCONFIRMED: u64 = 1 << 32;
const RAMPING: u64 = 1 << 33;
const TRIAL: u64 = 1 << 34;

impl Word {
    pub(super) const fn new() -> Self {
        Self(AtomicU64::new(NOBODY as u64))
    }

    #[inline]
    pub(super) fn read(&self) -> Sign {
        let word = self.0.load(Ordering::Acquire);
        let id = word as u32;
        Sign {
            active: (id != NOBODY).then_some(MemberId(id)),
            is_unconfirmed: word & UNCONFIRMED != 0,
            is_ramping: word & RAMPING != 0,
            wants_trial: word & TRIAL != 0,
        }
    }

    /// Whether this one serves, and a call has nothing to do but to go there.
    #[inline]
    pub(super) fn says_only(&self, id: MemberId) -> bool {
        self.0.load(Ordering::Acquire) & !UNCONFIRMED == u64::from(id.0)
    }

    pub(super) fn write(&self, sign: Sign) {
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        let word = u64::from(sign.active.map_or(NOBODY, |id| id.0))
            | flag(sign.is_unconfirmed, UNCONFIRMED)
            | flag(sign.is_ramping, RAMPING)
            | flag(sign.wants_trial, TRIAL);
        self.0.store(word, Ordering::Release);
    }

    /// Whether the one that serves has not answered yet.
    #[inline]
    pub(super) fn is_unconfirmed(&self) -> bool {
        self.0.load(Ordering::Relaxed) & UNCONFIRMED != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_says_what_was_written() {
        let word = Word::new();
        assert_eq!(word.read().active, None);
        for active in [None, Some(MemberId(0)), Some(MemberId(u32::MAX - 1))] {
            for bits in 0..8 {
                let sign = Sign {
                    active,
                    is_unconfirmed: bits & 1 != 0,
                    is_ramping: bits & 2 != 0,
                    wants_trial: bits & 4 != 0,
                };
                word.write(sign);
                assert_eq!(word.read(), sign);
                assert_eq!(word.is_unconfirmed(), sign.is_unconfirmed);
                let alone = |id| active == Some(id) && !sign.is_ramping && !sign.wants_trial;
                assert_eq!(word.says_only(MemberId(0)), alone(MemberId(0)));
            }
        }
    }
}
