use std::{
    pin::Pin,
    task::{Context, Poll},
};

use super::{Checking, Policy, Probe, Quorum};
use crate::{
    BoxError,
    event::{Name, caught, text},
};

/// The probes of one check, all under way at the same time. Ready as soon as they decide it.
///
/// A probe that panics is a bad one, whether it is begun, polled or dropped.
pub(super) struct Round {
    running: Vec<Checking>,
    quorum: Quorum,
    probes: usize,
    good: usize,
    bad: usize,
    error: Option<Name>,
}

impl Round {
    pub(super) fn begin(probes: &[Box<dyn Probe>], policy: &Policy) -> Self {
        let times = policy.probes_per_check as usize;
        let probes = probes.iter().flat_map(|probe| std::iter::repeat_n(probe, times));
        let mut round = Self {
            running: Vec::new(),
            quorum: policy.quorum,
            probes: 0,
            good: 0,
            bad: 0,
            error: None,
        };
        for probe in probes {
            round.probes += 1;
            match caught(|| probe.check()) {
                Some(checking) => round.running.push(checking),
                None => round.count(Err(Name::from(PANICKED))),
            }
        }
        round
    }

    /// What went wrong first, if something has.
    pub(super) fn error(&mut self) -> Option<Name> {
        self.error.take()
    }

    fn count(&mut self, result: Result<(), Name>) {
        match result {
            Ok(()) => self.good += 1,
            Err(error) => {
                self.bad += 1;
                self.error.get_or_insert(error);
            }
        }
    }
}

const PANICKED: &str = "its probe panicked";

/// Whether the check is good.
impl Future for Round {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
        let mut place = 0;
        while let Some(checking) = self.running.get_mut(place) {
            match poll(checking, cx) {
                Poll::Pending => place += 1,
                Poll::Ready(result) => {
                    let done = self.running.swap_remove(place);
                    self.count(result);
                    discard(done);
                }
            }
        }
        let Self { quorum, good, bad, probes, .. } = *self;
        quorum.verdict(good, bad, probes).map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        self.running.drain(..).for_each(discard);
    }
}

/// Polls a probe, and says what went wrong in words: errors are the user's code as well.
fn poll(checking: &mut Checking, cx: &mut Context<'_>) -> Poll<Result<(), Name>> {
    let panicked = || Name::from(PANICKED);
    let words = |error: BoxError| text::try_of_error(&*error).unwrap_or_else(panicked);
    caught(|| checking.as_mut().poll(cx).map_err(words))
        .unwrap_or_else(|| Poll::Ready(Err(panicked())))
}

fn discard(checking: Checking) {
    let _ = caught(|| drop(checking));
}
