mod bell;
mod job;

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
};

use tokio::time::{Sleep, sleep};

pub(super) use self::bell::Bell;
use self::job::{Job, Kind};
use super::{
    Target,
    switchboard::{Errands, Switchboard},
};
use crate::{
    event::Name,
    gate::{Guard, Waiter},
    logic::{Moment, roster::MemberId},
};

/// Looks after the backends of a [`Failover`](super::Failover): checks those that were left, has
/// them [brought up to date](super::Backend::catch_up), and sees to it that the best one serves, also
/// while there are no calls.
///
/// Ends when the last handle of the failover is dropped. Nothing else ends it: neither a hook nor an
/// observer that panics.
///
/// # Panics
///
/// Outside a tokio runtime with a timer.
#[must_use = "without its upkeep a failover does not go back to a backend that was left"]
pub struct Upkeep {
    failover: Name,
    switchboard: Weak<Switchboard>,
    bell: Arc<Bell>,
    jobs: Vec<Job>,
    watched: Vec<Watched>,
    sleep: Option<(Moment, Pin<Box<Sleep>>)>,
}

/// A backend whose health or circuit wakes the upkeep.
struct Watched {
    id: MemberId,
    health: Waiter,
    circuit: Waiter,
}

impl Upkeep {
    pub(super) fn new(switchboard: &Arc<Switchboard>) -> Self {
        Self {
            failover: switchboard.name.clone(),
            switchboard: Arc::downgrade(switchboard),
            bell: switchboard.bell().clone(),
            jobs: Vec::new(),
            watched: Vec::new(),
            sleep: None,
        }
    }

    /// Sees what is to be done, and begins it.
    fn tend(&mut self, switchboard: &Switchboard, cx: &mut Context<'_>) {
        let targets = switchboard.targets();
        self.watch(&targets, cx);
        let Errands { checks, catch_ups, now, at } = switchboard.errands();
        self.jobs.retain(|job| targets.iter().any(|target| target.id == job.id));
        self.jobs.extend(checks.iter().filter_map(|target| Job::check(target)));
        self.jobs.extend(catch_ups.iter().filter_map(|target| Job::catch_up(target)));
        if self.sleep.as_ref().is_none_or(|(set, _)| *set != at) {
            self.sleep = Some((at, Box::pin(sleep(at - now))));
        }
    }

    /// Is woken when the health or the circuit of a backend changes. What changed before is seen
    /// by the look that follows.
    fn watch(&mut self, targets: &[Arc<Target>], cx: &mut Context<'_>) {
        self.watched.retain(|watched| targets.iter().any(|target| target.id == watched.id));
        for target in targets {
            let known = self.watched.iter().position(|watched| watched.id == target.id);
            let at = known.unwrap_or_else(|| {
                let (id, health, circuit) = (target.id, Waiter::new(), Waiter::new());
                self.watched.push(Watched { id, health, circuit });
                self.watched.len() - 1
            });
            let Watched { health, circuit, .. } = &mut self.watched[at];
            if let Some(of) = &target.health {
                of.waiters().register(health, cx.waker());
            }
            if let Some(waiters) = target.circuit.as_ref().and_then(Guard::<()>::waiters) {
                waiters.register(circuit, cx.waker());
            }
        }
    }

    /// Lets everything that is under way go on, and tells what has ended; says whether something has.
    fn work(&mut self, switchboard: &Switchboard, cx: &mut Context<'_>) -> bool {
        let mut has_ended = false;
        let mut at = 0;
        while let Some(job) = self.jobs.get_mut(at) {
            let Poll::Ready(result) = job.poll(cx) else {
                at += 1;
                continue;
            };
            let job = self.jobs.swap_remove(at);
            match job.kind {
                Kind::Check => switchboard.checked(job.id, result),
                Kind::CatchUp => switchboard.caught_up(job.id, result),
            }
            has_ended = true;
        }
        has_ended
    }

    fn is_time(&mut self, cx: &mut Context<'_>) -> bool {
        let is_over =
            self.sleep.as_mut().is_some_and(|(_, sleep)| sleep.as_mut().poll(cx).is_ready());
        if is_over {
            self.sleep = None;
        }
        is_over
    }
}

impl Future for Upkeep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.bell.listen(cx.waker());
        loop {
            let Some(switchboard) = this.switchboard.upgrade() else {
                return Poll::Ready(());
            };
            this.tend(&switchboard, cx);
            let has_ended = this.work(&switchboard, cx);
            // If this was the last handle, its end rings.
            drop(switchboard);
            if !(this.is_time(cx) | has_ended | this.bell.listen(cx.waker())) {
                return Poll::Pending;
            }
        }
    }
}

impl fmt::Debug for Upkeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upkeep")
            .field("failover", &self.failover)
            .field("jobs", &self.jobs.len())
            .finish_non_exhaustive()
    }
}
