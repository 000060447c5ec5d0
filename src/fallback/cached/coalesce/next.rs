use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use super::{
    desk::Desk,
    load::{End, Load, Work},
};
use crate::{fallback::cached::Keeper, logic::relay::Turn};

/// A caller who waits for the answer to another one's request, and goes on with the work when
/// that one has left.
pub(super) struct Next<Q, C>
where
    Q: Keeper,
{
    desk: Arc<Desk<Q, C>>,
    load: Arc<Load<Q::Stored>>,
    /// His number, from his first look on.
    member: Option<u64>,
    work: Option<Work>,
}

impl<Q, C> Next<Q, C>
where
    Q: Keeper,
{
    pub(super) const fn new(desk: Arc<Desk<Q, C>>, load: Arc<Load<Q::Stored>>) -> Self {
        Self { desk, load, member: None, work: None }
    }

    /// Lets the load go on when he leaves.
    pub(super) fn go_on(&self) {
        self.load.go_on();
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End<Q::Stored>> {
        let member = *self.member.get_or_insert_with(|| self.load.join());
        loop {
            // Work that panics is not polled again: it has told those who wait by being dropped.
            if let Some(mut work) = self.work.take()
                && Pin::new(&mut work).poll(cx).is_pending()
            {
                self.work = Some(work);
                return Poll::Pending;
            }
            match self.load.turn(member, cx) {
                Turn::Done(end) => return Poll::Ready(end),
                Turn::Work(work) => self.work = Some(work),
                Turn::Wait => return Poll::Pending,
            }
        }
    }
}

impl<Q, C> Drop for Next<Q, C>
where
    Q: Keeper,
{
    fn drop(&mut self) {
        let Some(member) = self.member.take() else { return };
        let free = self.load.leave(member);
        if let Some(work) = self.work.take().or(free) {
            self.desk.pass_on(&self.load, work);
        }
    }
}
