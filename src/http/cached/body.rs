use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of a response that goes through a cache: passed on, copied while it is read, or kept.
    pub struct Body<B> {
        #[pin]
        inner: Option<B>,
        copy: Option<Copy>,
        kept: Option<Copied>,
    }
}

struct Copy {
    limit: usize,
    data: BytesMut,
    done: Box<dyn FnOnce(Copied) + Send>,
}

#[derive(Clone, Debug)]
pub(crate) struct Copied {
    data: Bytes,
    trailers: Option<HeaderMap>,
}

impl Copied {
    pub(crate) fn len(&self) -> usize {
        self.data.len()
    }
}

impl<B> Body<B> {
    /// Passes through.
    pub fn new(inner: B) -> Self {
        Self { inner: Some(inner), copy: None, kept: None }
    }

    pub(crate) fn copy(&mut self, limit: usize, done: impl FnOnce(Copied) + Send + 'static) {
        self.copy = Some(Copy { limit, data: BytesMut::new(), done: Box::new(done) });
    }

    pub(crate) fn is_copied(&self) -> bool {
        self.copy.is_some() || self.inner.is_none()
    }

    pub(crate) fn kept(copied: &Copied) -> Self {
        Self { inner: None, copy: None, kept: Some(copied.clone()) }
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
        let this = self.project();
        let Some(inner) = this.inner.as_pin_mut() else {
            let Some(kept) = this.kept else { return Poll::Ready(None) };
            if !kept.data.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut kept.data)))));
            }
            return Poll::Ready(kept.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
        };
        let frame = ready!(inner.poll_frame(cx));
        match &frame {
            None => {
                if let Some(copy) = this.copy.take() {
                    (copy.done)(Copied { data: copy.data.freeze(), trailers: None });
                }
            }
            Some(Err(_)) => *this.copy = None,
            Some(Ok(frame)) => {
                if let (Some(data), Some(copy)) = (frame.data_ref(), this.copy.as_mut()) {
                    copy.data.extend_from_slice(data);
                    if copy.data.len() > copy.limit {
                        *this.copy = None;
                    }
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match (&self.inner, &self.kept) {
            (Some(_), _) => false,
            (None, kept) => {
                kept.as_ref().is_none_or(|kept| kept.data.is_empty() && kept.trailers.is_none())
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.inner, &self.kept) {
            (Some(inner), _) => inner.size_hint(),
            (None, kept) => SizeHint::with_exact(kept.as_ref().map_or(0, |kept| kept.len() as u64)),
        }
    }
}

impl<B> fmt::Debug for Body<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").finish_non_exhaustive()
    }
}
