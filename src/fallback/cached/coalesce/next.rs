use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::time::{Sleep, sleep};

use super::{
    desk::Desk,
    load::{End, Load, Work},
};
use crate::{clock, fallback::cached::Keeper, logic::relay::Turn};

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
    /// Whether he leaves for a stale answer before long, and not for a slow body.
    is_covered: bool,
    body: Option<Pin<Box<Sleep>>>,
}

impl<Q, C> Next<Q, C>
where
    Q: Keeper,
{
    pub(super) const fn new(
        desk: Arc<Desk<Q, C>>,
        load: Arc<Load<Q::Stored>>,
        is_covered: bool,
    ) -> Self {
        Self { desk, load, member: None, work: None, is_covered, body: None }
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
                return self.poll_body(cx);
            }
            match self.load.turn(member, cx) {
                Turn::Done(end) => return Poll::Ready(end),
                Turn::Work(work) => self.work = Some(work),
                Turn::Wait => return self.poll_body(cx),
            }
        }
    }

    /// Waits until it has taken too long from the head to the end of the body.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<End<Q::Stored>> {
        let Some(until) = self.load.body_until().filter(|_| !self.is_covered) else {
            return Poll::Pending;
        };
        // Not early: he would come back to the same load.
        let timer = self.body.get_or_insert_with(|| Box::pin(sleep(until - clock::now())));
        timer.as_mut().poll(cx).map(|()| End::Lost)
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
