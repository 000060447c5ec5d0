use std::{
    fmt,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Buf as _;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_http::classify::ClassifyEos;

use super::at_end::RetryAfter;
use crate::{
    Outcome,
    gate::{Held, Pass},
};

pin_project! {
    /// The body of a response whose pass is settled with its end, by [`AtEnd`](super::AtEnd).
    ///
    /// Frames, trailers and hints are those of the body inside.
    ///
    /// # Cancel safety
    ///
    /// Dropping it before its end settles the pass as cancelled, unless as much has been read as the
    /// `Content-Length` of its head says: see [`AtEnd`](super::AtEnd).
    pub struct SettledBody<B, P, C>
    where
        P: Pass,
    {
        #[pin]
        body: B,
        // Locked only for `is_end_stream`, which has no more than a shared reference.
        unsettled: Mutex<Option<Unsettled<P, C>>>,
    }

    impl<B, P, C> PinnedDrop for SettledBody<B, P, C>
    where
        P: Pass,
    {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            let place = this.unsettled.get_mut().unwrap_or_else(PoisonError::into_inner);
            if let Some(unsettled) = place.take() {
                unsettled.leave();
            }
        }
    }
}

struct Unsettled<P: Pass, C> {
    held: Held<P>,
    eos: Option<C>,
    retry_after: RetryAfter,
    length: Length,
}

/// What the head declared, and what has come of it.
#[derive(Clone, Copy, Debug)]
struct Length {
    declared: Option<u64>,
    read: u64,
}

impl Length {
    fn is_complete(self) -> bool {
        self.declared == Some(self.read)
    }

    /// The answer to a `HEAD`, and a `304`, declare a body and have none.
    fn is_cut(self) -> bool {
        self.read > 0 && self.declared.is_some_and(|declared| self.read < declared)
    }
}

impl<B, P, C> SettledBody<B, P, C>
where
    P: Pass,
{
    pub(super) const fn settled(body: B) -> Self {
        Self { body, unsettled: Mutex::new(None) }
    }
}

impl<B, P, C> SettledBody<B, P, C>
where
    B: Body,
    P: Pass,
    C: ClassifyEos,
{
    pub(super) fn unsettled(
        body: B,
        mut held: Held<P>,
        eos: Option<C>,
        retry_after: RetryAfter,
        declared: Option<u64>,
    ) -> Self {
        let ended = held.run(|| body.is_end_stream());
        let length = Length { declared, read: 0 };
        let unsettled = Unsettled { held, eos, retry_after, length };
        if ended {
            unsettled.end(None);
            return Self::settled(body);
        }
        Self { body, unsettled: Mutex::new(Some(unsettled)) }
    }
}

impl<P, C> Unsettled<P, C>
where
    P: Pass,
{
    /// Nobody reads any further: hyper's server does so after the bytes that the head declared. A
    /// pass whose body panicked settles itself.
    fn leave(mut self) {
        let waits = self.eos.is_some() || std::thread::panicking() || self.held.is_running();
        if self.length.is_complete() && !waits {
            self.held.take().settle(Outcome::Success, None);
        }
    }
}

impl<P, C> Unsettled<P, C>
where
    P: Pass,
    C: ClassifyEos,
{
    fn end(mut self, trailers: Option<&HeaderMap>) {
        match self.eos.map(|eos| eos.classify_eos(trailers)) {
            None | Some(Ok(())) => self.held.take().settle(Outcome::Success, None),
            Some(Err(_)) => {
                let retry_after = trailers.and_then(self.retry_after);
                self.held.take().settle(Outcome::Failure, retry_after);
            }
        }
    }

    fn fail(mut self) {
        self.held.take().settle(Outcome::Failure, None);
    }
}

impl<B, P, C> Body for SettledBody<B, P, C>
where
    B: Body,
    P: Pass,
    C: ClassifyEos,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let mut body = this.body;
        let place = this.unsettled.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Some(unsettled) = place else { return body.poll_frame(cx) };
        let (polled, ended) = unsettled.held.run(|| {
            let polled = body.as_mut().poll_frame(cx);
            let ended = polled.is_ready() && body.is_end_stream();
            (polled, ended)
        });
        let frame = ready!(polled);
        match &frame {
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, |data| data.remaining() as u64);
                unsettled.length.read = unsettled.length.read.saturating_add(bytes);
                let trailers = frame.trailers_ref();
                if ended || trailers.is_some() {
                    settle(place, |unsettled| unsettled.end(trailers));
                }
            }
            Some(Err(_)) => settle(place, Unsettled::fail),
            None if unsettled.length.is_cut() => settle(place, Unsettled::fail),
            None => settle(place, |unsettled| unsettled.end(None)),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        let ended = self.body.is_end_stream();
        if ended {
            // Who sees this polls no more.
            let mut place = self.unsettled.lock().unwrap_or_else(PoisonError::into_inner);
            let unsettled = place.take();
            drop(place);
            if let Some(unsettled) = unsettled {
                unsettled.end(None);
            }
        }
        ended
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn settle<P, C>(place: &mut Option<Unsettled<P, C>>, end: impl FnOnce(Unsettled<P, C>))
where
    P: Pass,
{
    if let Some(unsettled) = place.take() {
        end(unsettled);
    }
}

impl<B, P, C> fmt::Debug for SettledBody<B, P, C>
where
    P: Pass,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SettledBody").finish_non_exhaustive()
    }
}
