use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use super::{
    Shareable, SharedError,
    desk::{Call, Desk},
    load::{Load, Work},
};
use crate::fallback::cached::Keeper;

/// The caller whose request made the call. When he leaves before it is answered, another goes on.
pub(super) struct First<Q, C>
where
    Q: Keeper,
{
    desk: Arc<Desk<Q, C>>,
    load: Arc<Load<Q::Stored>>,
    call: Option<Call<Q::Response>>,
    /// [`Desk::rest`], whose bounds `Drop` cannot name.
    rest: Rest<Q, C>,
}

type Rest<Q, C> = fn(&Arc<Desk<Q, C>>, Call<<Q as Keeper>::Response>) -> Work;

impl<Q, C> First<Q, C>
where
    Q: Shareable,
    C: Send + Sync + 'static,
{
    pub(super) fn new(
        desk: Arc<Desk<Q, C>>,
        load: Arc<Load<Q::Stored>>,
        call: Call<Q::Response>,
    ) -> Self {
        Self { desk, load, call: Some(call), rest: Desk::rest }
    }
}

impl<Q, C> First<Q, C>
where
    Q: Keeper,
{
    /// Lets the load go on when he leaves.
    pub(super) fn go_on(&self) {
        self.load.go_on();
    }

    /// A call that panics is not polled again: it has told those who wait by being dropped.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Q::Response, SharedError>> {
        let mut call = self.call.take().expect("a future is not polled after it was done");
        match Pin::new(&mut call).poll(cx) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => {
                self.call = Some(call);
                Poll::Pending
            }
        }
    }
}

impl<Q, C> Drop for First<Q, C>
where
    Q: Keeper,
{
    fn drop(&mut self) {
        if let Some(call) = self.call.take()
            && (!self.load.is_alone() || self.load.goes_on())
        {
            self.desk.pass_on(&self.load, (self.rest)(&self.desk, call));
        }
    }
}
