use std::{
    future::{pending, ready},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tower::Service;
use tower_failover::BoxError;

/// A service that behaves as told, and counts what reaches it; clones are the same backend.
#[derive(Clone, Debug)]
pub(crate) struct Backend {
    state: Arc<Mutex<(Readiness, Work)>>,
    pub(crate) polled: Count,
    pub(crate) called: Count,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Count(Arc<AtomicUsize>);

#[derive(Clone, Copy, Debug)]
pub(crate) enum Readiness {
    Ready,
    Never,
    Fails,
    Panics,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    Succeeds,
    Fails,
    Hangs,
    Takes(Duration),
    PanicsInCall,
    PanicsInPoll,
}

impl Backend {
    pub(crate) fn new(work: Work) -> Self {
        let state = Arc::new(Mutex::new((Readiness::Ready, work)));
        Self { state, polled: Count::default(), called: Count::default() }
    }

    pub(crate) fn now(&self, work: Work) {
        self.state.lock().unwrap().1 = work;
    }

    pub(crate) fn readiness(&self, readiness: Readiness) {
        self.state.lock().unwrap().0 = readiness;
    }
}

impl Count {
    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn add(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

impl Service<()> for Backend {
    type Response = usize;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<usize, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.polled.add();
        let (readiness, _) = *self.state.lock().unwrap();
        match readiness {
            Readiness::Ready => Poll::Ready(Ok(())),
            Readiness::Never => Poll::Pending,
            Readiness::Fails => Poll::Ready(Err("not ready".into())),
            Readiness::Panics => panic!("the backend panics in poll_ready"),
        }
    }

    fn call(&mut self, (): ()) -> Self::Future {
        let number = self.called.add();
        let (_, work) = *self.state.lock().unwrap();
        match work {
            Work::Succeeds => Box::pin(ready(Ok(number))),
            Work::Fails => Box::pin(ready(Err("down".into()))),
            Work::Hangs => Box::pin(pending()),
            Work::Takes(time) => Box::pin(async move {
                tokio::time::sleep(time).await;
                Ok(number)
            }),
            Work::PanicsInCall => panic!("the backend panics in call"),
            Work::PanicsInPoll => Box::pin(async { panic!("the backend panics in poll") }),
        }
    }
}
