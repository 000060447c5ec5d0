use std::{
    mem,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::timeout;

use crate::{
    BoxError,
    event::{Name, caught, text},
    failover::{Target, catch_up::Running},
    health::Health,
    logic::roster::MemberId,
};

/// Something that the upkeep does for a backend.
pub(crate) struct Job {
    pub(crate) id: MemberId,
    pub(crate) kind: Kind,
    work: Option<Running>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Check,
    CatchUp,
}

impl Job {
    /// Sees whether the backend is back; `None` if nobody monitors it.
    pub(crate) fn check(target: &Target) -> Option<Self> {
        let health = target.health.clone()?;
        let work: Running = Box::pin(check(health));
        Some(Self { id: target.id, kind: Kind::Check, work: Some(work) })
    }

    /// Brings the backend up to date. A hook that panics has failed.
    pub(crate) fn catch_up(target: &Target) -> Option<Self> {
        let hook = target.catch_up.as_ref()?;
        let work = caught(|| hook());
        Some(Self { id: target.id, kind: Kind::CatchUp, work })
    }

    /// What is done is dropped here too, where a panic harms nobody.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Name>> {
        let panicked = || Err("it panicked".into());
        let Some(work) = &mut self.work else { return Poll::Ready(panicked()) };
        let polled = caught(|| work.as_mut().poll(cx));
        let result = match polled {
            Some(Poll::Pending) => return Poll::Pending,
            Some(Poll::Ready(result)) => result.map_err(|error| text::of_error(&*error)),
            None => panicked(),
        };
        self.end();
        Poll::Ready(result)
    }

    fn end(&mut self) {
        let work = self.work.take();
        let _ = caught(|| drop(work));
    }
}

/// A job of a backend that was removed is dropped under way.
impl Drop for Job {
    fn drop(&mut self) {
        let work = mem::take(&mut self.work);
        let _ = caught(|| drop(work));
    }
}

/// Whether it answers; what its grade is then, is seen by who is told. A monitor that nobody drives
/// does not hold up the upkeep.
async fn check(health: Health) -> Result<(), BoxError> {
    let longest = 2 * health.policy().timeout + Duration::from_secs(1);
    timeout(longest, health.check_now()).await.map_err(|_| "its monitor stands still")?;
    let last_check = health.snapshot().last_check;
    last_check.as_ref().and_then(|check| check.error()).map_or(Ok(()), |error| Err(error.into()))
}
