use std::{
    mem,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use redis::{RedisError, aio::ConnectionLike, aio::MultiplexedConnection};
use tokio::sync::{Notify, watch};

use super::{ConnectionPolicy, Disconnected, disconnected::Reason};
use crate::{clock, event::Name, logic::Moment, logic::nanos};

/// What the clones of a connection and its driver share.
pub(super) struct Shared {
    pub(super) server: Name,
    pub(super) policy: ConnectionPolicy,
    pub(super) link: watch::Sender<Link>,
    /// Asks the driver to look after a link that is still up.
    pub(super) nudge: Arc<Notify>,
    db: AtomicI64,
}

pub(super) enum Link {
    /// The first try is under way.
    Connecting {
        since: Moment,
    },
    Up(Arc<Live>),
    /// The error is what calls end in, for that reason.
    Down {
        since: Moment,
        reason: RedisError,
        error: RedisError,
    },
    /// The driver is gone.
    Ended {
        error: RedisError,
    },
}

/// One connection that was made. Which one it is tells its late results from those of the next.
pub(super) struct Live {
    pub(super) connection: MultiplexedConnection,
    pub(super) made_at: Moment,
    replies: AtomicU64,
    /// The time that calls waited in vain since the last reply, in nanoseconds.
    silence: AtomicU64,
    worn: OnceLock<RedisError>,
}

impl Shared {
    pub(super) fn new(server: Name, policy: ConnectionPolicy, nudge: Arc<Notify>) -> Self {
        let link = watch::Sender::new(Link::Connecting { since: clock::now() });
        Self { server, policy, link, nudge, db: AtomicI64::new(0) }
    }

    pub(super) fn db(&self) -> i64 {
        self.db.load(Relaxed)
    }

    /// The connection of calls at this moment, if there is one.
    pub(super) fn live(&self) -> Option<Arc<Live>> {
        match &*self.link.borrow() {
            Link::Up(live) => Some(live.clone()),
            Link::Connecting { .. } | Link::Down { .. } | Link::Ended { .. } => None,
        }
    }

    /// Makes this the connection of all calls from now on.
    pub(super) fn publish(&self, live: &Arc<Live>) {
        self.db.store(live.connection.get_db(), Relaxed);
        self.replace(|_| Some(Link::Up(live.clone())));
    }

    /// Gives the connection up, unless another has taken its place.
    pub(super) fn lose(&self, live: &Arc<Live>, error: RedisError) {
        self.replace(|link| match link {
            Link::Up(current) if Arc::ptr_eq(current, live) => Some(self.down(clock::now(), error)),
            Link::Up(_) | Link::Connecting { .. } | Link::Down { .. } | Link::Ended { .. } => None,
        });
    }

    /// Takes note of a try to connect that failed. What is up stays up.
    pub(super) fn fail(&self, error: RedisError) {
        self.replace(|link| match link {
            Link::Connecting { since } | Link::Down { since, .. } => Some(self.down(*since, error)),
            Link::Up(_) | Link::Ended { .. } => None,
        });
    }

    pub(super) fn end(&self) {
        let error = Disconnected::new(self.server.clone(), clock::now(), Reason::NoDriver);
        self.replace(|_| Some(Link::Ended { error: error.into_redis() }));
    }

    /// Asks for another connection in place of this one, which serves until then.
    pub(super) fn wear_out(&self, live: &Live, error: RedisError) {
        if live.worn.set(error).is_ok() {
            self.nudge.notify_one();
        }
    }

    /// The error of a call that waited for the first connection in vain.
    pub(super) fn not_yet(&self) -> RedisError {
        let since = match &*self.link.borrow() {
            Link::Connecting { since } | Link::Down { since, .. } => *since,
            Link::Up(_) | Link::Ended { .. } => clock::now(),
        };
        Disconnected::new(self.server.clone(), since, Reason::Connecting).into_redis()
    }

    fn down(&self, since: Moment, reason: RedisError) -> Link {
        let failed = Reason::Failed(reason.clone());
        let error = Disconnected::new(self.server.clone(), since, failed).into_redis();
        Link::Down { since, reason, error }
    }

    /// The old link is dropped outside the lock.
    fn replace(&self, next: impl FnOnce(&Link) -> Option<Link>) {
        let mut old = None;
        self.link.send_if_modified(|link| {
            old = next(link).map(|next| mem::replace(link, next));
            old.is_some()
        });
    }
}

impl Live {
    pub(super) fn new(connection: MultiplexedConnection) -> Self {
        Self {
            connection,
            made_at: clock::now(),
            replies: AtomicU64::new(0),
            silence: AtomicU64::new(0),
            worn: OnceLock::new(),
        }
    }

    /// Takes note of a reply to a call.
    pub(super) fn replied(&self) {
        self.replies.fetch_add(1, Relaxed);
        self.calm();
    }

    /// Takes note of a sign of life.
    pub(super) fn calm(&self) {
        self.silence.store(0, Relaxed);
    }

    /// Takes note of a wait without a reply.
    pub(super) fn waited(&self, duration: Duration) {
        self.silence.fetch_add(nanos(duration), Relaxed);
    }

    /// How long calls have waited in vain since the last reply, taken together.
    pub(super) fn silence(&self) -> Duration {
        Duration::from_nanos(self.silence.load(Relaxed))
    }

    /// How many calls it has served.
    pub(super) fn replies(&self) -> u64 {
        self.replies.load(Relaxed)
    }

    /// Why it should be replaced, if it should.
    pub(super) fn worn(&self) -> Option<&RedisError> {
        self.worn.get()
    }
}
