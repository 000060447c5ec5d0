//! One call, and the parts of the stack that are not ours and play in it.

use std::{
    mem::ManuallyDrop,
    panic::resume_unwind,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use tower::Service;
use tower_failover::{BoxError, circuit_breaker::Circuit};

/// How something ends after some polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    Well,
    Badly,
    InPanic,
}

pub(super) const ENDS: [End; 3] = [End::Well, End::Badly, End::InPanic];

/// One call: what is done to it, and what the parts of the stack do in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene {
    pub(super) is_probe: bool,
    /// Polls after which the caller goes away.
    pub(super) cancelled_after: usize,
    pub(super) ready: (usize, End),
    pub(super) call_panics: bool,
    pub(super) answer: (usize, End),
    pub(super) strategy: (usize, End),
    pub(super) classifier_panics: bool,
    pub(super) observer_panics: bool,
}

impl Scene {
    pub(super) const FINE: Self = Self {
        is_probe: false,
        cancelled_after: usize::MAX,
        ready: (0, End::Well),
        call_panics: false,
        answer: (0, End::Well),
        strategy: (0, End::Well),
        classifier_panics: false,
        observer_panics: false,
    };

    pub(super) fn random(random: &mut fastrand::Rng) -> Self {
        let mut part = || (random.usize(0..4), ENDS[random.usize(0..3)]);
        let (ready, answer, strategy) = (part(), part(), part());
        Self {
            is_probe: random.bool(),
            cancelled_after: if random.u8(0..4) == 0 { usize::MAX } else { random.usize(0..10) },
            ready: if random.bool() { (ready.0, End::Well) } else { ready },
            call_panics: random.u8(0..8) == 0,
            answer,
            strategy,
            classifier_panics: random.u8(0..8) == 0,
            observer_panics: random.bool(),
        }
    }
}

pub(super) type Stage = Arc<Mutex<Scene>>;

/// Not `panic!`: the hook would print a hundred thousand of them.
pub(super) fn panics() -> ! {
    resume_unwind(Box::new("seeded"))
}

pub(super) fn scene(stage: &Stage) -> Scene {
    *stage.lock().unwrap()
}

/// Counts down its polls, then ends.
pub(super) async fn part((polls, end): (usize, End), alive: Arc<()>) -> Result<u32, BoxError> {
    let mut left = polls;
    std::future::poll_fn(|_| match left {
        0 => Poll::Ready(()),
        _ => {
            left -= 1;
            Poll::Pending
        }
    })
    .await;
    drop(alive);
    match end {
        End::Well => Ok(1),
        End::Badly => Err("seeded".into()),
        End::InPanic => panics(),
    }
}

/// The backend.
#[derive(Clone)]
pub(super) struct Inner {
    pub(super) stage: Stage,
    pub(super) alive: Arc<()>,
    pub(super) ready_polls: usize,
}

impl Service<u32> for Inner {
    type Response = u32;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<u32, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let (polls, end) = scene(&self.stage).ready;
        if self.ready_polls < polls {
            self.ready_polls += 1;
            return Poll::Pending;
        }
        self.ready_polls = 0;
        match end {
            End::Well => Poll::Ready(Ok(())),
            End::Badly => Poll::Ready(Err("seeded".into())),
            End::InPanic => panics(),
        }
    }

    fn call(&mut self, _: u32) -> Self::Future {
        let scene = scene(&self.stage);
        if scene.call_panics {
            panics();
        }
        Box::pin(part(scene.answer, self.alive.clone()))
    }
}

/// The seeded bug: a breaker whose permit is lost with a call that does not end.
#[derive(Clone)]
pub(super) struct Forgetful {
    pub(super) inner: Inner,
    pub(super) circuit: Circuit,
}

impl Service<u32> for Forgetful {
    type Response = u32;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<u32, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: u32) -> Self::Future {
        let permit = match self.circuit.permit() {
            Ok(permit) => ManuallyDrop::new(permit),
            Err(open) => return Box::pin(async { Err(open.into()) }),
        };
        let call = self.inner.call(request);
        Box::pin(async move {
            let result = call.await;
            let permit = ManuallyDrop::into_inner(permit);
            if result.is_ok() {
                permit.success()
            } else {
                permit.failure()
            }
            result
        })
    }
}
