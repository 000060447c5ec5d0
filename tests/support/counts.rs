use std::sync::{Mutex, PoisonError};

/// What really happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections accepted, whatever became of them.
    pub accepted: u64,
    /// New connections reset, by [`Accept::Reset`](super::Accept::Reset) or because nobody listened upstream.
    pub reset: u64,
    /// New connections left without an answer.
    pub muted: u64,
    /// Established connections reset by [`reset_established`](super::Proxy::reset_established).
    pub broken: u64,
    /// Established connections closed by [`Flow::CutAfter`](super::Flow::CutAfter).
    pub cut: u64,
    /// Reads that waited in [`Flow::Hold`](super::Flow::Hold).
    pub held: u64,
    /// Reads that were delivered late.
    pub delayed: u64,
    /// Bytes lost.
    pub dropped: u64,
    /// Bytes replaced.
    pub garbled: u64,
    /// Genuine bytes that were handed to the server.
    pub to_server: u64,
    /// Genuine bytes that were handed to the client.
    pub to_client: u64,
}

/// Counts while they grow.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<Counts>);

impl Tally {
    pub(super) fn get(&self) -> Counts {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn count(&self, count: impl FnOnce(&mut Counts)) {
        count(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
