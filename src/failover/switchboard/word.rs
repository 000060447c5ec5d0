use std::sync::atomic::{AtomicU64, Ordering};

use crate::logic::roster::MemberId;

/// Who serves and whether a call has more to do than to go there, in one atomic word.
///
/// Written with the switchboard's lock held, so that the last writer knew the last state.
#[derive(Debug)]
pub(crate) struct Word(AtomicU64);

/// What the [`Word`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sign {
    pub(crate) active: Option<MemberId>,
    /// It has not answered a call since it became the active one.
    pub(crate) is_unconfirmed: bool,
    /// It gets a share of the calls.
    pub(crate) is_ramping: bool,
    /// A call that may be repeated may go to one that is out, to try it.
    pub(crate) wants_trial: bool,
    /// How many switches there were.
    pub(crate) switches: Switches,
}

/// A number of switches, as far as the [`Word`] has room for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Switches(u32);

impl Switches {
    /// It starts over after 2²⁹.
    pub(crate) const fn next(self) -> Self {
        Self(self.0.wrapping_add(1) & ((u64::MAX >> SWITCHES_AT) as u32))
    }
}

const NOBODY: u32 = u32::MAX;
const UNCONFIRMED: u64 = 1 << 32;
const RAMPING: u64 = 1 << 33;
const TRIAL: u64 = 1 << 34;
const SWITCHES_AT: u32 = 35;

/// The bits that a call which goes straight to the active one looks at.
const ROUTE: u64 = NOBODY as u64 | RAMPING | TRIAL;

impl Word {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(NOBODY as u64))
    }

    #[inline]
    pub(crate) fn read(&self) -> Sign {
        let word = self.0.load(Ordering::Acquire);
        let id = word as u32;
        Sign {
            active: (id != NOBODY).then_some(MemberId(id)),
            is_unconfirmed: word & UNCONFIRMED != 0,
            is_ramping: word & RAMPING != 0,
            wants_trial: word & TRIAL != 0,
            switches: Switches((word >> SWITCHES_AT) as u32),
        }
    }

    /// How many switches there were; the last of them is not later than what was read before.
    #[inline]
    pub(crate) fn switches(&self) -> Switches {
        Switches((self.0.load(Ordering::Relaxed) >> SWITCHES_AT) as u32)
    }

    /// Whether this one serves, and a call has nothing to do but to go there.
    #[inline]
    pub(crate) fn says_only(&self, id: MemberId) -> bool {
        self.0.load(Ordering::Acquire) & ROUTE == u64::from(id.0)
    }

    pub(crate) fn write(&self, sign: Sign) {
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        let word = u64::from(sign.active.map_or(NOBODY, |id| id.0))
            | flag(sign.is_unconfirmed, UNCONFIRMED)
            | flag(sign.is_ramping, RAMPING)
            | flag(sign.wants_trial, TRIAL)
            | u64::from(sign.switches.0) << SWITCHES_AT;
        self.0.store(word, Ordering::Release);
    }

    /// Whether the one that serves has not answered yet.
    #[inline]
    pub(crate) fn is_unconfirmed(&self) -> bool {
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
                    switches: Switches(u32::MAX >> 3),
                };
                word.write(sign);
                assert_eq!(word.read(), sign);
                assert_eq!(word.is_unconfirmed(), sign.is_unconfirmed);
                assert_eq!(word.switches(), sign.switches);
                let alone = |id| active == Some(id) && !sign.is_ramping && !sign.wants_trial;
                assert_eq!(word.says_only(MemberId(0)), alone(MemberId(0)));
            }
        }
    }

    #[test]
    fn the_number_of_switches_starts_over_when_the_word_has_no_room_for_more() {
        assert_eq!(Switches(0).next(), Switches(1));
        assert_eq!(Switches((1 << 29) - 2).next(), Switches((1 << 29) - 1));
        assert_eq!(Switches((1 << 29) - 1).next(), Switches(0));
    }
}
