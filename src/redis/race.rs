use std::{future::poll_fn, pin::pin, task::Poll};

pub(super) enum Either<A, B> {
    Left(A),
    Right(B),
}

/// The first to be ready; if both are, the left one.
pub(super) async fn race<A: Future, B: Future>(a: A, b: B) -> Either<A::Output, B::Output> {
    let (mut a, mut b) = (pin!(a), pin!(b));
    poll_fn(|cx| match a.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Either::Left(done)),
        Poll::Pending => b.as_mut().poll(cx).map(Either::Right),
    })
    .await
}
