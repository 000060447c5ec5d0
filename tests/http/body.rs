use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use axum::{body::Bytes, http::HeaderMap};
use http_body::{Body, Frame, SizeHint};
use tower_failover::BoxError;

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Data(&'static str),
    Trailers(HeaderMap),
    Hangs,
    Fails,
    Panics,
}

/// A body that does as its script says, and counts how often it is polled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    steps: VecDeque<Step>,
    /// Says that it has ended as soon as it has, not only by its last frame.
    knows_its_end: bool,
    /// Has ended although the script has not: the end arrived after the last frame.
    pub(crate) ended_late: Arc<AtomicBool>,
    pub(crate) hint_panics: bool,
    pub(crate) polled: Arc<AtomicUsize>,
}

impl Script {
    pub(crate) fn of(steps: impl IntoIterator<Item = Step>) -> Self {
        Self { steps: steps.into_iter().collect(), ..Self::default() }
    }

    pub(crate) fn knows_its_end(self) -> Self {
        Self { knows_its_end: true, ..self }
    }

    fn left(&self) -> u64 {
        let length = |step: &Step| match step {
            Step::Data(data) => data.len() as u64,
            Step::Trailers(_) | Step::Hangs | Step::Fails | Step::Panics => 0,
        };
        self.steps.iter().map(length).sum()
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.polled.fetch_add(1, Ordering::SeqCst);
        if matches!(self.steps.front(), Some(Step::Hangs)) {
            return Poll::Pending;
        }
        Poll::Ready(self.steps.pop_front().map(|step| match step {
            Step::Data(data) => Ok(Frame::data(data.into())),
            Step::Trailers(trailers) => Ok(Frame::trailers(trailers)),
            Step::Fails => Err("the body is cut".into()),
            Step::Panics => panic!("the body panics"),
            Step::Hangs => unreachable!("it hangs"),
        }))
    }

    fn is_end_stream(&self) -> bool {
        assert!(!self.hint_panics, "the hint panics");
        self.ended_late.load(Ordering::SeqCst) || self.knows_its_end && self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left())
    }
}
