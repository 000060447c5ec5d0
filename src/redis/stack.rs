use std::{fmt, future::poll_fn, io};

use redis::aio::ConnectionLike;
use redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, RedisResult, Value};
use tower_service::Service;

use super::{kept::keep, pipeline};
use crate::{BoxError, circuit_breaker::Open, failover::NoBackend, health::Unhealthy};

/// A stack of services as a connection: typed commands run through the whole of it.
///
/// The way back from [`RedisService`](super::RedisService). Whatever takes a
/// [`ConnectionLike`] (`AsyncCommands`, `Cmd::query_async`, `Pipeline::query_async`, `Script`)
/// takes a `Stack`, and each of its calls passes every layer. Each call waits until the stack is
/// ready and then calls the instance that was.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// use redis::AsyncCommands;
/// use std::time::Duration;
/// use tower::ServiceBuilder;
/// use tower_failover::redis::{Connection, RedisService, Stack};
///
/// let connection = Connection::open("redis://127.0.0.1/")?.spawn();
/// let mut redis = Stack::new(
///     ServiceBuilder::new()
///         .timeout(Duration::from_millis(200))
///         .service(RedisService::new(connection)),
/// );
/// let visits: u64 = redis.incr("visits", 1).await?;
/// # let _ = visits; Ok(()) }
/// ```
///
/// # Errors
///
/// A `RedisError` comes out as it is, boxed or not. Every other error, such as
/// [`Open`], becomes an I/O error that keeps it as a [`source`](std::error::Error::source):
/// one that a circuit or a health gate refused
/// [is a connection refusal](RedisError::is_connection_refusal),
/// [`Unavailable`](super::Unavailable) judges all of them rightly, and [`Stack::refusal`] finds the
/// original again.
///
/// # Two kinds of requests
///
/// Commands and pipelines are two request types. [`Stack::new`] asks that one stack takes both, as
/// layers do that are indifferent to the request: gates, timeouts, limits. A layer that is made for
/// one type (`boxed`, `buffer`, a fallback whose answer is a `Value`) makes the stack one of
/// commands only. Then give pipelines a stack of their own by [`Stack::split`], over the same
/// connection and, since a circuit is a handle, behind the same circuit.
#[derive(Clone)]
pub struct Stack<S, P = S> {
    commands: S,
    pipelines: P,
    db: i64,
}

impl<S: Clone> Stack<S> {
    /// Sends commands and pipelines through `service`.
    pub fn new(service: S) -> Self {
        Self::split(service.clone(), service)
    }
}

impl<S, P> Stack<S, P> {
    /// Sends commands through one service and pipelines through another.
    pub const fn split(commands: S, pipelines: P) -> Self {
        Self { commands, pipelines, db: 0 }
    }

    /// Says which database the connection at the bottom uses, for who asks the stack. Default: 0.
    #[must_use]
    pub fn db(self, db: i64) -> Self {
        Self { db, ..self }
    }
}

impl Stack<()> {
    /// The error of another type that a stack put into `error`, if it is an `E`.
    ///
    /// ```
    /// # fn example(error: &redis::RedisError) {
    /// use tower_failover::{circuit_breaker::Open, redis::Stack};
    ///
    /// if let Some(open) = Stack::refusal::<Open>(error) {
    ///     println!("come back in {:?}", open.retry_after());
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn refusal<E: std::error::Error + 'static>(error: &RedisError) -> Option<&E> {
        super::kept::kept(error)?.downcast_ref()
    }
}

impl<S, P> ConnectionLike for Stack<S, P>
where
    S: Service<Cmd, Response = Value> + Send,
    S::Error: Into<BoxError>,
    S::Future: Send,
    P: Service<Pipeline, Response = Vec<Value>> + Send,
    P::Error: Into<BoxError>,
    P::Future: Send,
{
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(through(&mut self.commands, cmd))
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            if pipeline::shape(pipeline) != (offset, count) {
                return Err((ErrorKind::Client, "a stack sends whole pipelines only").into());
            }
            through(&mut self.pipelines, pipeline).await
        })
    }

    fn get_db(&self) -> i64 {
        self.db
    }
}

async fn through<S, Request>(service: &mut S, request: &Request) -> RedisResult<S::Response>
where
    S: Service<Request>,
    S::Error: Into<BoxError>,
    Request: Clone,
{
    poll_fn(|cx| service.poll_ready(cx)).await.map_err(unbox)?;
    service.call(request.clone()).await.map_err(unbox)
}

fn unbox(error: impl Into<BoxError>) -> RedisError {
    error.into().downcast::<RedisError>().map_or_else(
        |other| {
            let nobody = other.downcast_ref().is_some_and(|it: &NoBackend| !it.may_have_run());
            let refused = nobody || other.is::<Open>() || other.is::<Unhealthy>();
            let kind =
                if refused { io::ErrorKind::ConnectionRefused } else { io::ErrorKind::Other };
            keep(kind, other)
        },
        |error| *error,
    )
}

/// Says nothing of the services.
impl<S, P> fmt::Debug for Stack<S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack").field("db", &self.db).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{health::Health, logic::Moment, redis::Unavailable};

    #[test]
    fn a_refusal_by_a_circuit_is_a_connection_refusal_that_was_not_sent() {
        let error = unbox(Open::new("redis".into(), Moment::NEVER));
        assert!(error.is_connection_refusal());
        assert!(!Unavailable::may_have_run(&error));
        assert_eq!(Stack::refusal::<Open>(&error).map(Open::circuit), Some("redis"));
        let boxed: BoxError = Open::new("redis".into(), Moment::NEVER).into();
        assert!(!Unavailable::may_have_run(&*boxed));
    }

    #[test]
    fn a_refusal_by_a_health_gate_is_one_too() {
        let health = Health::new("redis");
        health.down("disk full");
        let error = unbox(health.refusal().unwrap());
        assert!(error.is_connection_refusal());
        assert!(!Unavailable::may_have_run(&error));
        assert_eq!(Stack::refusal::<Unhealthy>(&error).map(Unhealthy::target), Some("redis"));
    }
}
