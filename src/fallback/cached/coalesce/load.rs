use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Waker},
    time::Duration,
};

use futures_util::future::BoxFuture;

use super::SharedError;
use crate::{
    fallback::cached::{entry::Entry, shelf::Fill},
    logic::{
        Moment,
        relay::{Handed, Relay, Turn},
    },
};

/// One call for many callers.
pub(super) struct Load<V> {
    pub(super) fill: Fill,
    /// From then on nobody joins it.
    until: Moment,
    /// How long one waits for the body, since the head is there.
    body_until: OnceLock<Moment>,
    /// Whether it goes on when its last caller has left.
    goes_on: AtomicBool,
    relay: Mutex<Relay<Work, Waker, End<V>>>,
}

/// Drives the call to its end for those who wait.
pub(super) type Work = BoxFuture<'static, ()>;

/// How a load ended.
pub(super) enum End<V> {
    /// There is an answer for everybody whom it suits.
    Kept(Arc<Entry<V>>),
    /// There is none.
    Failed(SharedError),
    /// The answer is for one caller only.
    Refused,
    /// There was an answer, but no whole copy of it, or not in time.
    Lost,
}

impl<V> Load<V> {
    pub(super) fn new(fill: Fill, within: Duration) -> Self {
        let until = fill.began + within;
        let (body_until, goes_on) = (OnceLock::new(), AtomicBool::new(false));
        Self { fill, until, body_until, goes_on, relay: Mutex::new(Relay::new()) }
    }

    /// Lets it go on when its last caller has left.
    pub(super) fn go_on(&self) {
        self.goes_on.store(true, Ordering::Relaxed);
    }

    pub(super) fn goes_on(&self) -> bool {
        self.goes_on.load(Ordering::Relaxed)
    }

    /// Whether nobody waits for it.
    pub(super) fn is_alone(&self) -> bool {
        self.relay().is_empty()
    }

    /// Whether a caller who comes now may wait for it.
    pub(super) fn is_open(&self, now: Moment) -> bool {
        now < self.until && !self.relay().is_over()
    }

    pub(super) fn is_over(&self) -> bool {
        self.relay().is_over()
    }

    /// Has those who wait look how long they still do. Whoever sleeps later finds it when he looks,
    /// since it is set before the lock is taken.
    pub(super) fn head_came(&self, body_until: Moment) {
        self.body_until.get_or_init(|| body_until);
        let woken = self.relay().rouse();
        woken.for_each(Waker::wake);
    }

    pub(super) fn body_until(&self) -> Option<Moment> {
        self.body_until.get().copied()
    }

    /// Whether its body takes longer than one waits for it.
    pub(super) fn is_late(&self, now: Moment) -> bool {
        self.body_until().is_some_and(|until| until <= now)
    }

    pub(super) fn join(&self) -> u64 {
        self.relay().join()
    }

    /// What a member is to do now; if it is to wait, it is woken.
    pub(super) fn turn(&self, member: u64, cx: &Context<'_>) -> Turn<Work, End<V>> {
        let waker = cx.waker().clone();
        let (turn, before) = self.relay().turn(member, waker);
        drop(before);
        turn
    }

    /// A member leaves. Returns the work if it was to be his, and nobody else waits for it.
    pub(super) fn leave(&self, member: u64) -> Option<Work> {
        let mut relay = self.relay();
        let (woken, before) = relay.leave(member);
        let orphan = relay.orphan();
        drop(relay);
        drop(before);
        wake(woken);
        orphan
    }

    /// Gives the work to one of those who wait, or back.
    pub(super) fn hand_over(&self, work: Work) -> Option<Work> {
        let handed = self.relay().hand_over(work);
        match handed {
            Handed::Over(woken) => {
                wake(woken);
                None
            }
            Handed::Back(work) => Some(work),
        }
    }

    pub(super) fn end(&self, end: End<V>) {
        let (woken, free) = self.relay().end(end);
        woken.for_each(Waker::wake);
        drop(free);
    }

    /// Nothing but arithmetic and clones of wakers happens under the lock.
    fn relay(&self) -> MutexGuard<'_, Relay<Work, Waker, End<V>>> {
        self.relay.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl<V> End<V> {
    pub(super) const fn is_refused(&self) -> bool {
        match self {
            Self::Refused => true,
            Self::Kept(_) | Self::Failed(_) | Self::Lost => false,
        }
    }

    pub(super) const fn is_lost(&self) -> bool {
        match self {
            Self::Lost => true,
            Self::Kept(_) | Self::Failed(_) | Self::Refused => false,
        }
    }
}

impl<V> Clone for End<V> {
    fn clone(&self) -> Self {
        match self {
            Self::Kept(entry) => Self::Kept(entry.clone()),
            Self::Failed(error) => Self::Failed(error.clone()),
            Self::Refused => Self::Refused,
            Self::Lost => Self::Lost,
        }
    }
}

impl<V> fmt::Debug for End<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kept(_) => "Kept",
            Self::Failed(_) => "Failed",
            Self::Refused => "Refused",
            Self::Lost => "Lost",
        })
    }
}
