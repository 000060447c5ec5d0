use std::{
    fmt,
    task::{Context, Poll},
};

use redis::{Cmd, Pipeline, RedisError, RedisResult, Value, aio::ConnectionLike};
use tower_service::Service;

use super::{future::ResponseFuture, pipeline};

/// A connection as a service of commands and of pipelines.
///
/// Works over every connection that is cheap to clone: [`Connection`](super::Connection), redis'
/// `MultiplexedConnection`, `ConnectionManager` and `ClusterConnection`. It is always ready, and
/// its error is the client's own.
///
/// A [`Cmd`] is answered by its [`Value`]. Error replies of the server are `Err`, also those
/// nested in an array, which the client hands out as `Ok(Value::ServerError)`.
///
/// A [`Pipeline`] is answered by what the server sent: one value a command, or for a
/// [transaction](Pipeline::atomic) the single value of its `EXEC`. That is what a
/// [`Stack`](super::Stack) needs to let the pipeline itself drop ignored values and convert the
/// rest. If a command failed, the error is the one the pipeline's own `query_async` gives, with the
/// place of every failed command. A pipeline that [ignores errors](Pipeline::ignore_errors) is
/// answered `Ok`, with the error replies in their places.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// use tower::ServiceExt;
/// use tower_failover::redis::{Connection, RedisService};
///
/// let connection = Connection::open("redis://127.0.0.1/")?.spawn();
/// let answer = RedisService::new(connection).oneshot(redis::cmd("PING")).await?;
/// assert_eq!(answer, redis::Value::SimpleString("PONG".into()));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedisService<C> {
    connection: C,
}

impl<C> RedisService<C> {
    /// Makes a service of `connection`; every call runs on a clone of it.
    pub const fn new(connection: C) -> Self {
        Self { connection }
    }

    /// The connection.
    pub const fn get_ref(&self) -> &C {
        &self.connection
    }

    /// The connection, out of its service.
    pub fn into_inner(self) -> C {
        self.connection
    }
}

impl<C> Service<Cmd> for RedisService<C>
where
    C: ConnectionLike + Clone + Send + 'static,
{
    type Response = Value;
    type Error = RedisError;
    type Future = ResponseFuture<Value>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<RedisResult<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, command: Cmd) -> Self::Future {
        let mut connection = self.connection.clone();
        ResponseFuture::new(async move {
            connection.req_packed_command(&command).await.and_then(Value::extract_error)
        })
    }
}

impl<C> Service<Pipeline> for RedisService<C>
where
    C: ConnectionLike + Clone + Send + 'static,
{
    type Response = Vec<Value>;
    type Error = RedisError;
    type Future = ResponseFuture<Vec<Value>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<RedisResult<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, commands: Pipeline) -> Self::Future {
        let mut connection = self.connection.clone();
        ResponseFuture::new(async move {
            let (offset, count) = pipeline::shape(&commands);
            let values = connection.req_packed_commands(&commands, offset, count).await?;
            pipeline::extract_errors(&commands, values).await
        })
    }
}

/// Says nothing of the connection, whose own `Debug` may show its settings.
impl<C> fmt::Debug for RedisService<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisService").finish_non_exhaustive()
    }
}
