use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};

use crate::event::caught;

use super::{
    Framing,
    copied::{Copied, owned, weight},
};

/// A copy that is being made.
///
/// Bytes are copied as they come: a [`Bytes`] of a connection keeps its whole read buffer alive, so
/// that holding many small ones would need far more than the limit.
pub(super) struct Copying {
    limit: usize,
    /// What the body said of its length when the copy began.
    declared: SizeHint,
    framing: Framing,
    data: Vec<u8>,
    done: Box<dyn FnOnce(Result<Copied, TooLarge>) + Send>,
}

/// What a frame means to the copy.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// More may come.
    Goes,
    /// There are trailers, so nothing comes any more.
    Ends(HeaderMap),
    /// It is longer than a copy may be.
    TooLarge,
    /// This will not be a copy.
    Spoilt,
}

/// A body is longer than a copy of it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

impl Copying {
    /// `None` if a body of this length is not copied, of which `done` is told.
    pub(super) fn new(
        limit: usize,
        declared: SizeHint,
        framing: Framing,
        done: impl FnOnce(Result<Copied, TooLarge>) + Send + 'static,
    ) -> Option<Self> {
        let is_too_large = declared.lower() > limit as u64;
        let copying = Self { limit, declared, framing, data: Vec::new(), done: Box::new(done) };
        if is_too_large {
            copying.tell(Err(TooLarge));
            return None;
        }
        Some(copying)
    }

    pub(super) fn frame(&mut self, frame: &Frame<Bytes>) -> Next {
        if let Some(data) = frame.data_ref() {
            return self.data(data);
        }
        match frame.trailers_ref() {
            Some(trailers) if weight(trailers) <= self.limit - self.data.len() => {
                owned(trailers).map_or(Next::Spoilt, Next::Ends)
            }
            Some(_) => Next::TooLarge,
            None => Next::Spoilt,
        }
    }

    fn data(&mut self, data: &[u8]) -> Next {
        let most = self.most();
        if data.len() > self.limit - self.data.len() {
            return Next::TooLarge;
        }
        if data.len() > most - self.data.len() {
            return Next::Spoilt;
        }
        let needed = self.data.len() + data.len();
        let room = self.data.capacity();
        if needed > room {
            // What is declared bounds the room and never makes it: it may be a lie.
            let room = needed.max(room.saturating_mul(2)).min(most);
            self.data.reserve_exact(room - self.data.len());
        }
        self.data.extend_from_slice(data);
        Next::Goes
    }

    /// The bytes that the body may have.
    fn most(&self) -> usize {
        let declared = self.declared.upper().and_then(|upper| usize::try_from(upper).ok());
        declared.map_or(self.limit, |declared| declared.min(self.limit))
    }

    /// The body has ended. Hands the copy in if it is as long as was declared.
    pub(super) fn end(mut self, trailers: Option<HeaderMap>) {
        if self.data.len() as u64 >= self.declared.lower() {
            let copied = Copied::new(std::mem::take(&mut self.data), trailers);
            self.tell(Ok(copied));
        }
    }

    /// The body gives nothing more, and does not say that it has ended.
    pub(super) fn end_without_a_word(self) {
        if !self.framing.has_to_say_its_end || self.is_whole() {
            self.end(None);
        }
    }

    /// The reader has left. A copy has ended if its head declared no more, and no trailers.
    pub(super) fn left(self) {
        let is_all = self.framing.length == Some(self.data.len() as u64);
        if is_all && !self.framing.announces_trailers && !std::thread::panicking() {
            self.end(None);
        }
    }

    /// Whether there is as much of it as its length says.
    fn is_whole(&self) -> bool {
        let length = self.framing.length.or(self.declared.exact());
        length == Some(self.data.len() as u64)
    }

    pub(super) fn too_large(self) {
        self.tell(Err(TooLarge));
    }

    /// What a panic of the receiver's would hit is the reader, who is not concerned: it stops here.
    fn tell(self, copied: Result<Copied, TooLarge>) {
        let _ = caught(|| (self.done)(copied));
    }
}

#[cfg(test)]
mod tests;
