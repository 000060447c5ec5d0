use std::{
    mem,
    sync::{Arc, Mutex},
    time::Duration,
};

use tower_failover::{
    BoxError, Outcome,
    gate::{Guard, Pass},
};

/// Lets every call pass, and keeps how each pass ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorder(Arc<Mutex<Vec<End>>>);

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum End {
    Settled(Outcome, Option<Duration>),
    Dropped,
}

pub(crate) const SUCCESS: End = End::Settled(Outcome::Success, None);
pub(crate) const FAILURE: End = End::Settled(Outcome::Failure, None);

impl Recorder {
    /// How the passes ended since this was last asked.
    pub(crate) fn ends(&self) -> Vec<End> {
        mem::take(&mut self.0.lock().unwrap())
    }
}

#[derive(Debug)]
pub(crate) struct Recorded(Option<Recorder>);

impl<Request> Guard<Request> for Recorder {
    type Pass = Recorded;
    type Rejection = BoxError;

    fn refusal(&self) -> Option<BoxError> {
        None
    }

    fn admit(&self, _: &Request) -> Result<Recorded, BoxError> {
        Ok(Recorded(Some(self.clone())))
    }
}

impl Pass for Recorded {
    fn settle(mut self, outcome: Outcome, retry_after: Option<Duration>) {
        let recorder = self.0.take().unwrap();
        recorder.0.lock().unwrap().push(End::Settled(outcome, retry_after));
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        if let Some(recorder) = self.0.take() {
            recorder.0.lock().unwrap().push(End::Dropped);
        }
    }
}
