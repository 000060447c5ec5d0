use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of an inner response, or none.
    #[derive(Debug)]
    pub struct OrEmpty<B> {
        #[pin]
        body: Option<B>,
    }
}

impl<B> OrEmpty<B> {
    pub(super) const fn inner(body: B) -> Self {
        Self { body: Some(body) }
    }

    pub(super) const fn empty() -> Self {
        Self { body: None }
    }
}

/// Empty.
impl<B> Default for OrEmpty<B> {
    fn default() -> Self {
        Self::empty()
    }
}

impl<B> Body for OrEmpty<B>
where
    B: Body,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        match self.project().body.as_pin_mut() {
            Some(body) => body.poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
