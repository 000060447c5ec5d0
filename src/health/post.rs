use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, Weak},
    task::Poll,
    time::Duration,
};

use tokio::{sync::Notify, time::sleep_until};

use super::{Check, Policy, report::Report, shared::Shared};
use crate::clock;

/// A monitor's place at its target: when it goes, the target knows that it is not monitored.
pub(super) struct Post {
    target: Weak<Shared>,
    bell: Arc<Notify>,
}

impl Post {
    pub(super) fn new(target: &Arc<Shared>, bell: Arc<Notify>) -> Self {
        Self { target: Arc::downgrade(target), bell }
    }

    /// Waits until a check is due, and begins it; `None` when the last handle of the target is gone.
    pub(super) async fn next_check(&self) -> Option<Policy> {
        loop {
            let target = self.target.upgrade()?;
            let wait = target.look(|control, now| control.rounds.wait(&control.policy, now));
            drop(target);
            if wait.is_zero() || self.rests(wait).await {
                break;
            }
        }
        let target = self.target.upgrade()?;
        Some(target.set(|control| {
            control.rounds.begin(clock::now(), fastrand::f64());
            control.policy
        }))
    }

    /// How long a check may take now; `None` when the last handle of the target is gone.
    pub(super) fn timeout(&self) -> Option<Duration> {
        let target = self.target.upgrade()?;
        Some(target.look(|control, _| control.policy.timeout))
    }

    /// Waits until the monitor has to look up.
    pub(super) fn rung(&self) -> impl Future<Output = ()> {
        self.bell.notified()
    }

    /// Takes down how a check ended.
    pub(super) fn end_check(&self, report: Report, check: Check) {
        if let Some(target) = self.target.upgrade() {
            target.note(report, Some(check));
        }
    }

    /// Whether this time has passed; otherwise the bell was rung.
    async fn rests(&self, wait: Duration) -> bool {
        let mut rung = pin!(self.bell.notified());
        let mut over = pin!(sleep_until(clock::deadline(wait)));
        poll_fn(|cx| match over.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(true),
            Poll::Pending => rung.as_mut().poll(cx).map(|()| false),
        })
        .await
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        if let Some(target) = self.target.upgrade() {
            target.set(|control| control.abandon(clock::now()));
            target.asking.wake();
            target.waiters.wake();
        }
    }
}
