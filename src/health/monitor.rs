use std::{
    fmt,
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use tokio::{sync::Notify, time::sleep_until};

use super::{Check, Probe, post::Post, report::Report, round::Round, shared::Shared};
use crate::{clock, event::Name, logic::Moment};

/// Checks a target on its own schedule, and tells its [`Health`](super::Health).
///
/// The first check begins with the first poll. Ends when the last handle of the target is dropped;
/// until then nothing ends it, neither a probe that fails, panics or hangs, nor an observer that
/// panics. When it is dropped before that, one that is unhealthy becomes unknown, and calls to it
/// pass from then on, since nobody would ever say that it is back.
///
/// # Panics
///
/// Outside a tokio runtime with a timer.
#[must_use = "a monitor checks nothing unless it is polled"]
pub struct Monitor {
    target: Name,
    work: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Monitor {
    pub(super) fn new(
        target: &Arc<Shared>,
        bell: Arc<Notify>,
        probes: Vec<Box<dyn Probe>>,
    ) -> Self {
        let post = Post::new(target, bell);
        Self { target: target.name.clone(), work: Box::pin(keep_checking(post, probes)) }
    }
}

async fn keep_checking(post: Post, probes: Vec<Box<dyn Probe>>) {
    while let Some(policy) = post.next_check().await {
        let (began, at) = (clock::now(), clock::wall());
        let round = Round::begin(&probes, &policy);
        let Some(result) = within(&post, began, round).await else { return };
        let took = clock::now() - began;
        let error = result.as_ref().err().cloned();
        let report = match result {
            Ok(()) => Report::Good(Some(took)),
            Err(error) => Report::Bad(error),
        };
        post.end_check(report, Check { at, took, error });
    }
}

/// Whether the check was good within its time, and what went wrong if not; `None` when the last
/// handle of the target is gone.
async fn within(post: &Post, began: Moment, mut round: Round) -> Option<Result<(), Name>> {
    loop {
        let timeout = post.timeout()?;
        let mut over = pin!(sleep_until(clock::deadline(began + timeout - clock::now())));
        let mut rung = pin!(post.rung());
        let step = poll_fn(|cx| match Pin::new(&mut round).poll(cx) {
            Poll::Ready(is_good) => Poll::Ready(Step::Decided(is_good)),
            Poll::Pending if over.as_mut().poll(cx).is_ready() => Poll::Ready(Step::Late),
            Poll::Pending => rung.as_mut().poll(cx).map(|()| Step::Rung),
        });
        let late = || Name::from(format!("no answer within {timeout:?}"));
        match step.await {
            Step::Decided(true) => return Some(Ok(())),
            Step::Decided(false) => return Some(Err(round.error().unwrap_or_else(late))),
            Step::Late => return Some(Err(late())),
            Step::Rung => {}
        }
    }
}

enum Step {
    Decided(bool),
    Late,
    Rung,
}

impl Future for Monitor {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.work.as_mut().poll(cx)
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").field("target", &self.target).finish_non_exhaustive()
    }
}
