use std::{fmt, slice, sync::Arc};

use redis::{
    Cmd, IntoConnectionInfo, Pipeline, RedisFuture, RedisResult, Value, aio::ConnectionLike,
};
use tokio::sync::Notify;

use super::{
    ConnectionBuilder, Connector,
    call::Call,
    link::{Link, Shared},
};
use crate::event::Name;

/// A connection to Redis that comes back by itself and never makes a caller wait for it.
///
/// A cheap clone of one shared connection, and a [`ConnectionLike`]: typed commands run on it as on
/// any other. The [manual](crate::redis) says how it behaves.
///
/// # Cancel safety
///
/// Dropping a call does not recall its command: it may still run. The time the call waited counts
/// [against the connection](super::ConnectionPolicy::reconnect_after_timeouts).
#[derive(Clone)]
pub struct Connection {
    shared: Arc<Shared>,
}

impl Connection {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Sets up a connection to the server at a URL or a `ConnectionInfo`, by a [`Connector`].
    ///
    /// Over RESP3 (`?protocol=resp3`) a lost connection is noticed, and made again, before the next
    /// call.
    ///
    /// # Errors
    ///
    /// If it names no server. The error holds no part of it.
    pub fn open(server: impl IntoConnectionInfo) -> RedisResult<ConnectionBuilder<Connector>> {
        let mut connector = Connector::open(server)?;
        let nudge = Arc::new(Notify::new());
        connector.on_hangup = Some(nudge.clone());
        Ok(ConnectionBuilder::new(connector.server().into(), connector, nudge))
    }

    /// Sets up a connection that `connector` makes; `server` is its name in events and errors.
    ///
    /// The connector is asked anew for each connection, so it may resolve, choose and log in
    /// differently each time:
    ///
    /// ```no_run
    /// # async fn password() -> String { String::new() }
    /// # async fn example() {
    /// use tower_failover::redis::{Connection, Connector};
    /// use tower::{ServiceExt, service_fn};
    ///
    /// let rotating = service_fn(|()| async {
    ///     let url = format!("redis://:{}@cache.internal/", password().await);
    ///     Connector::open(url)?.oneshot(()).await
    /// });
    /// let connection = Connection::builder("cache", rotating).spawn();
    /// # let _ = connection;
    /// # }
    /// ```
    pub fn builder<C>(server: impl Into<Name>, connector: C) -> ConnectionBuilder<C> {
        ConnectionBuilder::new(server.into(), connector, Arc::new(Notify::new()))
    }

    /// The server, without credentials.
    #[must_use]
    pub fn server(&self) -> &str {
        self.shared.server.as_str()
    }

    /// Whether there is a connection at this moment, as far as is known.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        matches!(*self.shared.link.borrow(), Link::Up(_))
    }

    /// Waits until there is a connection, however long.
    ///
    /// # Errors
    ///
    /// If the [`Driver`](super::Driver) was dropped.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn wait_until_connected(&self) -> RedisResult<()> {
        let mut link = self.shared.link.subscribe();
        let is_settled = |link: &Link| matches!(link, Link::Up(_) | Link::Ended { .. });
        // Its sender lives in `self`, so it cannot be closed.
        match link.wait_for(is_settled).await.as_deref() {
            Ok(Link::Ended { error }) => Err(error.clone()),
            Ok(Link::Up(_) | Link::Connecting { .. } | Link::Down { .. }) | Err(_) => Ok(()),
        }
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let call = Call::begin(&self.shared).await?;
            let mut connection = call.connection();
            let answer = connection.send_packed_command(cmd);
            if cmd.is_no_response() {
                call.send(answer).await
            } else {
                call.finish(answer, slice::from_ref).await
            }
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let call = Call::begin(&self.shared).await?;
            let mut connection = call.connection();
            call.finish(connection.send_packed_commands(pipeline, offset, count), Vec::as_slice)
                .await
        })
    }

    fn get_db(&self) -> i64 {
        self.shared.db()
    }
}

/// `connected`, or the error that calls end in.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut connection = f.debug_struct("Connection");
        connection.field("server", &self.shared.server);
        match &*self.shared.link.borrow() {
            Link::Connecting { .. } => connection.field("state", &"connecting"),
            Link::Up(_) => connection.field("state", &"connected"),
            Link::Down { error, .. } | Link::Ended { error } => connection.field("state", error),
        };
        connection.finish()
    }
}
