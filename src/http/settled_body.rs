use std::{
    fmt,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll, ready},
};

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
    /// Dropping it before its end settles the pass as cancelled.
    pub struct SettledBody<B, P, C>
    where
        P: Pass,
    {
        #[pin]
        body: B,
        // Locked only for `is_end_stream`, which has no more than a shared reference.
        unsettled: Mutex<Option<Unsettled<P, C>>>,
    }
}

struct Unsettled<P: Pass, C> {
    held: Held<P>,
    eos: Option<C>,
    retry_after: RetryAfter,
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
    ) -> Self {
        let ended = held.run(|| body.is_end_stream());
        let unsettled = Unsettled { held, eos, retry_after };
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
                let trailers = frame.trailers_ref();
                if ended || trailers.is_some() {
                    settle(place, |unsettled| unsettled.end(trailers));
                }
            }
            Some(Err(_)) => settle(place, Unsettled::fail),
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
