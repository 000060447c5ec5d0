use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{
    Copied, Framing,
    copying::{Copying, Next, TooLarge},
};

pin_project! {
    /// The body of a response that goes through a cache: passed on, copied while it is read, or
    /// kept from an earlier response.
    ///
    /// Frames, trailers and hints of a body that is passed on or copied are those of the body
    /// inside, at the time they have there. A copy is kept only of a body that is read to a clean
    /// end:
    ///
    /// | what happens | the copy |
    /// |---|---|
    /// | the body ends, by `None`, by its trailers, or by saying that it has ended | complete |
    /// | it came over HTTP/2, and ends by `None` alone, its length not known: its stream may have been reset | given up |
    /// | it declared its length, and ends before or goes on after it | given up |
    /// | it is, or declares to be, longer than the limit | given up, at once |
    /// | it ends in an error, its `poll_frame` panics, or a frame is neither data nor trailers | given up |
    /// | it is dropped when as much was read as the `Content-Length` of its head says | complete |
    /// | it is dropped half-way | given up |
    ///
    /// A copy takes at most twice the memory of what has been read, and never more than the limit,
    /// whatever the body declares; while memory is moved, the old and the new. A kept body is one
    /// frame of data, if there is any, and the trailers.
    ///
    /// # Cancel safety
    ///
    /// Dropping it gives the copy up, unless all that its head declared has been read.
    pub struct Body<B> {
        #[pin]
        state: State<B>,
    }

    impl<B> PinnedDrop for Body<B> {
        fn drop(this: Pin<&mut Self>) {
            this.project().state.left();
        }
    }
}

pin_project! {
    #[project = StateProj]
    enum State<B> {
        Read {
            #[pin]
            body: B,
            // Locked only for `is_end_stream`, which has no more than a shared reference.
            copying: Mutex<Option<Box<Copying>>>,
        },
        Kept {
            data: Bytes,
            trailers: Option<Arc<HeaderMap>>,
        },
    }
}

impl<B> State<B> {
    /// Nobody reads any further: hyper's server does so after the bytes that the head declared.
    fn left(self: Pin<&mut Self>) {
        match self.project() {
            StateProj::Read { copying, .. } => {
                let place = copying.get_mut().unwrap_or_else(PoisonError::into_inner);
                if let Some(copying) = place.take() {
                    copying.left();
                }
            }
            StateProj::Kept { .. } => {}
        }
    }
}

impl<B> Body<B> {
    /// Passes this body on.
    pub const fn new(inner: B) -> Self {
        Self { state: State::Read { body: inner, copying: Mutex::new(None) } }
    }

    /// The body that this is a copy of. Copies no bytes.
    pub(crate) fn kept(copied: &Copied) -> Self {
        let Copied { data, trailers, .. } = copied.clone();
        Self { state: State::Kept { data, trailers } }
    }

    /// Whether it is being copied, or comes from a copy itself.
    pub(crate) fn is_copied(&self) -> bool {
        match &self.state {
            State::Read { copying, .. } => lock(copying).is_some(),
            State::Kept { .. } => true,
        }
    }
}

impl<B> Body<B>
where
    B: http_body::Body<Data = Bytes>,
{
    /// Copies what is read from now on, up to this many bytes of data and trailers.
    ///
    /// `done` is called once: with the copy at a clean end, which may be now, or when the body turns
    /// out to be too large; in every other case it is dropped without being called. A panic in it
    /// is caught. Does nothing if there is a copy already.
    pub(crate) fn copy(
        &mut self,
        limit: usize,
        framing: Framing,
        done: impl FnOnce(Result<Copied, TooLarge>) + Send + 'static,
    ) {
        match &mut self.state {
            State::Read { body, copying } => {
                let place = copying.get_mut().unwrap_or_else(PoisonError::into_inner);
                if place.is_some() {
                    return;
                }
                let hint = body.size_hint();
                let Some(copying) = Copying::new(limit, hint, framing, done) else { return };
                if body.is_end_stream() {
                    copying.end(None);
                } else {
                    *place = Some(Box::new(copying));
                }
            }
            State::Kept { .. } => {}
        }
    }
}

impl<B> http_body::Body for Body<B>
where
    B: http_body::Body<Data = Bytes>,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().state.project() {
            StateProj::Read { mut body, copying } => {
                let place = copying.get_mut().unwrap_or_else(PoisonError::into_inner);
                // Taken out, so that a panic in the body is the end of the copy.
                let Some(mut copying) = place.take() else { return body.poll_frame(cx) };
                let polled = body.as_mut().poll_frame(cx);
                match &polled {
                    Poll::Pending => *place = Some(copying),
                    Poll::Ready(None) if body.is_end_stream() => copying.end(None),
                    Poll::Ready(None) => copying.end_without_a_word(),
                    Poll::Ready(Some(Err(_))) => {}
                    Poll::Ready(Some(Ok(frame))) => match copying.frame(frame) {
                        Next::Goes if body.is_end_stream() => copying.end(None),
                        Next::Goes => *place = Some(copying),
                        Next::Ends(trailers) => copying.end(Some(trailers)),
                        Next::TooLarge => copying.too_large(),
                        Next::Spoilt => {}
                    },
                }
                polled
            }
            StateProj::Kept { data, trailers } => Poll::Ready(if data.is_empty() {
                trailers.take().map(|trailers| Ok(Frame::trailers(Arc::unwrap_or_clone(trailers))))
            } else {
                Some(Ok(Frame::data(std::mem::take(data))))
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Read { body, copying } => {
                let ended = body.is_end_stream();
                if ended {
                    // Who sees this polls no more.
                    let copying = lock(copying).take();
                    if let Some(copying) = copying {
                        copying.end(None);
                    }
                }
                ended
            }
            State::Kept { data, trailers } => data.is_empty() && trailers.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Read { body, .. } => body.size_hint(),
            State::Kept { data, trailers: None } => SizeHint::with_exact(data.len() as u64),
            // HTTP/1 sends trailers only after a body whose length it does not declare.
            State::Kept { data, trailers: Some(_) } => {
                let mut hint = SizeHint::new();
                hint.set_lower(data.len() as u64);
                hint
            }
        }
    }
}

fn lock(copying: &Mutex<Option<Box<Copying>>>) -> MutexGuard<'_, Option<Box<Copying>>> {
    copying.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<B> fmt::Debug for Body<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::Read { .. } if self.is_copied() => "Body(copied)",
            State::Read { .. } => "Body(passed on)",
            State::Kept { .. } => "Body(kept)",
        })
    }
}

#[cfg(test)]
mod tests;
