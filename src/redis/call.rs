use std::{io, sync::Arc, time::Duration};

use redis::{ErrorKind, RedisError, RedisResult, ServerError, Value, aio::MultiplexedConnection};
use tokio::time::{Instant, timeout_at};

use super::{
    link::{Link, Live, Shared},
    verdict::first_reply,
};
use crate::{clock, logic::Moment};

/// One call on the connection of the moment. What comes of it, be it nothing, tells about that
/// connection and no other.
pub(super) struct Call<'a> {
    shared: &'a Shared,
    live: Arc<Live>,
    deadline: Instant,
    started: Moment,
    is_settled: bool,
}

impl<'a> Call<'a> {
    /// Takes the connection, or fails at once if there is none. Only while the first is being made
    /// does it wait, within the response timeout.
    pub(super) async fn begin(shared: &'a Shared) -> RedisResult<Self> {
        let started = clock::now();
        let deadline = clock::deadline(shared.policy.response_timeout);
        let live = match look(shared) {
            Ok(live) => live,
            Err(Some(error)) => return Err(error),
            Err(None) => wait(shared, deadline).await?,
        };
        Ok(Self { shared, live, deadline, started, is_settled: false })
    }

    pub(super) fn connection(&self) -> MultiplexedConnection {
        self.live.connection.clone()
    }

    /// Awaits the answer; `replies` finds what the server said in it.
    pub(super) async fn finish<T>(
        mut self,
        answer: impl Future<Output = RedisResult<T>>,
        replies: fn(&T) -> &[Value],
    ) -> RedisResult<T> {
        let result = timeout_at(self.deadline, answer).await.unwrap_or_else(|_| Err(timed_out()));
        match &result {
            Ok(answer) => match replies(answer).iter().find_map(wearing_out) {
                Some(reply) => self.wear_out(reply),
                None => self.replied(),
            },
            Err(error) if error.is_timeout() => self.waited(self.shared.policy.response_timeout),
            Err(error) if matches!(error.kind(), ErrorKind::Io | ErrorKind::Parse) => {
                self.is_settled = true;
                self.shared.lose(&self.live, error.clone());
            }
            Err(error) => match first_reply(error) {
                Some(reply) if wears_out(reply.code()) => self.wear_out(&reply),
                Some(_) => self.replied(),
                None => self.is_settled = true,
            },
        }
        result
    }

    /// For a command that is not answered.
    pub(super) async fn send(
        mut self,
        sent: impl Future<Output = RedisResult<Value>>,
    ) -> RedisResult<Value> {
        let result = timeout_at(self.deadline, sent).await.unwrap_or_else(|_| Err(timed_out()));
        self.is_settled = true;
        if let Err(error) = &result
            && error.is_connection_dropped()
        {
            self.shared.lose(&self.live, error.clone());
        }
        result
    }

    fn replied(&mut self) {
        self.is_settled = true;
        self.live.replied();
    }

    /// Observers are told the code alone: a script makes up words of what it is given.
    fn wear_out(&mut self, reply: &ServerError) {
        self.is_settled = true;
        let words = Some("the reply to a call".to_owned());
        let error = redis::make_extension_error(reply.code().to_owned(), words);
        self.shared.wear_out(&self.live, error);
    }

    fn waited(&mut self, duration: Duration) {
        self.is_settled = true;
        self.live.waited(duration);
        if self.shared.policy.is_suspect(&self.live) {
            self.shared.nudge.notify_one();
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if !self.is_settled {
            self.waited(clock::now() - self.started);
        }
    }
}

/// Whether the server says by this code that it is the wrong one, or we are.
fn wears_out(code: &str) -> bool {
    matches!(code, "READONLY" | "NOAUTH")
}

/// The connection, or the error if there is none, or nothing if the first is being made.
fn look(shared: &Shared) -> Result<Arc<Live>, Option<RedisError>> {
    match &*shared.link.borrow() {
        Link::Up(live) => Ok(live.clone()),
        Link::Down { error, .. } | Link::Ended { error } => Err(Some(error.clone())),
        Link::Connecting { .. } => Err(None),
    }
}

async fn wait(shared: &Shared, deadline: Instant) -> RedisResult<Arc<Live>> {
    let mut link = shared.link.subscribe();
    let made = link.wait_for(|link| !matches!(link, Link::Connecting { .. }));
    let _ = timeout_at(deadline, made).await;
    look(shared).map_err(|error| error.unwrap_or_else(|| shared.not_yet()))
}

pub(super) fn timed_out() -> RedisError {
    io::Error::from(io::ErrorKind::TimedOut).into()
}

/// An error reply after which another connection is wanted.
fn wearing_out(reply: &Value) -> Option<&ServerError> {
    let Value::ServerError(error) = reply else { return None };
    wears_out(error.code()).then_some(error)
}
