mod by_hand;
mod choice;
mod members;
mod records;
mod target;
mod tending;
mod turn;
mod word;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

pub(super) use self::{
    choice::Choice, members::Member, target::Target, tending::Errands, word::Switches,
};
use self::{members::Members, records::Records, turn::Turn, word::Word};
use super::{NoBackend, Policy, Repeat, upkeep::Bell};
use crate::{
    clock,
    event::{Bulletin, Name, Observers, Switch, Trigger},
    logic::{
        Moment,
        roster::{MemberId, Roster, Rules},
    },
};

/// What all clones of a failover, its calls, its controls and its upkeep share.
///
/// Everything is decided under one lock, which no code of the user runs under, and then shown by one
/// atomic word, which is all that a call reads while nothing is wrong.
pub(super) struct Switchboard {
    pub(super) name: Name,
    pub(super) policy: Policy,
    pub(super) rules: Rules,
    pub(super) word: Word,
    /// Before this moment no call that may be repeated needs to ask whether there is something to
    /// try.
    pub(super) trial_at: AtomicU64,
    /// The same for calls that may not be repeated.
    pub(super) any_trial_at: AtomicU64,
    board: Mutex<Board>,
    bulletin: Bulletin<Switch>,
    bell: Arc<Bell>,
}

/// What only changes with the lock held.
#[derive(Debug)]
pub(super) struct Board {
    pub(super) roster: Roster,
    pub(super) members: Members,
    pub(super) records: Records,
    /// What somebody said who changed something by hand, until the switch that this brings about.
    pub(super) said: Option<Name>,
}

impl Switchboard {
    pub(super) fn new(name: Name, policy: Policy, observers: Observers) -> Self {
        Self {
            name,
            policy,
            rules: policy.rules(),
            word: Word::new(),
            trial_at: AtomicU64::new(0),
            any_trial_at: AtomicU64::new(0),
            board: Mutex::new(Board {
                roster: Roster::new(),
                members: Members::default(),
                records: Records::default(),
                said: None,
            }),
            bulletin: Bulletin::new(observers),
            bell: Arc::default(),
        }
    }

    pub(super) fn bell(&self) -> &Arc<Bell> {
        &self.bell
    }

    /// Changes the state: shows it by the word, then, without the lock, wakes the upkeep and tells
    /// the observers.
    pub(super) fn act<T>(&self, act: impl FnOnce(&mut Turn<'_>) -> T) -> T {
        let mut board = self.lock();
        let mut turn = Turn::new(self, &mut board, clock::now());
        let answer = act(&mut turn);
        let (news, is_stirred) = turn.end(&self.bulletin);
        drop(board);
        if is_stirred {
            self.bell.ring();
        }
        if news {
            self.bulletin.tell();
        }
        answer
    }

    /// Looks at the state as it was left.
    pub(super) fn glance<T>(&self, look: impl FnOnce(&Board) -> T) -> T {
        look(&self.lock())
    }

    /// Whom a call goes to that has tried these.
    #[cold]
    pub(super) fn choose(&self, tried: &[MemberId], may_try: bool) -> Option<Choice> {
        self.act(|turn| {
            turn.settle();
            turn.choose(tried, may_try)
        })
    }

    /// The one that serves, after a look at everybody.
    #[cold]
    pub(super) fn active(&self) -> Option<Arc<Target>> {
        self.act(|turn| {
            turn.settle();
            turn.active()
        })
    }

    /// A call on this backend failed, which began then; it is left if that was one too many.
    #[cold]
    pub(super) fn failed(&self, target: &Target, trigger: Trigger, since: Moment, why: Name) {
        self.act(|turn| turn.failed(target, trigger, since, why));
    }

    /// A call on this backend failed in a mode in which that moves nobody.
    #[cold]
    pub(super) fn noted(&self, target: &Target, why: Name) {
        target.failed();
        self.act(|turn| turn.note(target.id, why));
    }

    /// This backend answered a call that began after so many switches.
    #[cold]
    pub(super) fn confirm(&self, id: MemberId, after: Switches) {
        self.act(|turn| turn.confirm(id, after));
    }

    /// This backend answered a call that tried it. If that makes it serve, it has served.
    #[cold]
    pub(super) fn tried(&self, id: MemberId) {
        self.act(|turn| {
            let before = turn.board.records.count();
            turn.checked(id, Ok(()));
            turn.settle();
            let after = turn.board.records.count();
            if after != before {
                turn.confirm(id, after);
            }
        });
    }

    /// A check of this backend, or a call that tried it, has ended.
    #[cold]
    pub(super) fn checked(&self, id: MemberId, result: Result<(), Name>) {
        self.act(|turn| {
            turn.checked(id, result);
            turn.settle();
        });
    }

    /// A call that tried this backend was cancelled.
    #[cold]
    pub(super) fn abandoned(&self, id: MemberId) {
        self.act(|turn| turn.abandoned(id));
    }

    /// Why nobody serves.
    #[cold]
    pub(super) fn nobody(&self, may_have_run: bool) -> NoBackend {
        self.act(|turn| turn.nobody(may_have_run))
    }

    /// Whether this one was left: calls that wait for it are not to go there any more.
    pub(super) fn has_left(&self, id: MemberId) -> bool {
        !self.word.says_only(id) && self.glance(|board| board.roster.has_left(id))
    }

    /// Whether calls go to this one, and have nothing to choose.
    #[inline]
    pub(super) fn sends_to(&self, id: MemberId) -> bool {
        self.word.says_only(id) || {
            let sign = self.word.read();
            sign.active == Some(id) && !sign.is_ramping
        }
    }

    /// Whether a call may ask for something to try; the coarse clock will do. Those come first that
    /// can go on to the backend that serves, whatever comes of the trial.
    #[inline]
    pub(super) fn may_try(&self, repeat: Repeat) -> bool {
        self.word.read().wants_trial && self.is_time_to_try(repeat)
    }

    #[cold]
    fn is_time_to_try(&self, repeat: Repeat) -> bool {
        let is_safe = repeat == Repeat::Always && self.policy.attempts > 1;
        let at = if is_safe { &self.trial_at } else { &self.any_trial_at };
        clock::coarse().as_nanos() >= at.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The upkeep ends with the last handle.
impl Drop for Switchboard {
    fn drop(&mut self) {
        self.bell.ring();
    }
}

impl fmt::Debug for Switchboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Switchboard")
            .field("name", &self.name)
            .field("policy", &self.policy)
            .field("word", &self.word.read())
            .field("observers", &self.bulletin)
            .finish_non_exhaustive()
    }
}
