use std::{fmt, sync::Arc};

use redis::{RedisError, aio::MultiplexedConnection};
use tokio::sync::Notify;
use tower_service::Service;

use super::{Connection, ConnectionPolicy, Driver, driver::Task, link::Shared};
use crate::event::{Name, Observer, Observers};

/// Sets up a [`Connection`].
#[must_use]
pub struct ConnectionBuilder<C> {
    server: Name,
    connector: C,
    policy: ConnectionPolicy,
    observers: Observers,
    nudge: Arc<Notify>,
}

impl<C> ConnectionBuilder<C> {
    pub(super) fn new(server: Name, connector: C, nudge: Arc<Notify>) -> Self {
        let policy = ConnectionPolicy::DEFAULT;
        Self { server, connector, policy, observers: Observers::default(), nudge }
    }

    /// Uses these settings. Default: [`ConnectionPolicy::DEFAULT`].
    pub fn policy(self, policy: ConnectionPolicy) -> Self {
        Self { policy, ..self }
    }

    /// Tells this observer when the connection is made and lost.
    pub fn observe(mut self, observer: impl Observer + 'static) -> Self {
        self.observers.push(observer);
        self
    }

    /// The connection, and the future that makes it, again and again.
    ///
    /// The future ends when the last clone of the connection is dropped. Until it is polled there
    /// is no connection.
    pub fn build(self) -> (Connection, Driver)
    where
        C: Service<(), Response = MultiplexedConnection, Error = RedisError> + Send + 'static,
        C::Future: Send,
    {
        let Self { server, connector, policy, observers, nudge } = self;
        let shared = Arc::new(Shared::new(server, policy, nudge));
        let task = Task::new(&shared, connector, observers);
        (Connection::new(shared), Driver::new(task.run()))
    }

    /// The connection, whose driver runs on a task of its own.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use = "the connection is closed with its last clone"]
    #[expect(clippy::disallowed_methods, reason = "the one that is named so")]
    pub fn spawn(self) -> Connection
    where
        C: Service<(), Response = MultiplexedConnection, Error = RedisError> + Send + 'static,
        C::Future: Send,
    {
        let (connection, driver) = self.build();
        tokio::spawn(driver);
        connection
    }
}

impl<C> fmt::Debug for ConnectionBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionBuilder")
            .field("server", &self.server)
            .field("policy", &self.policy)
            .field("observers", &self.observers)
            .finish_non_exhaustive()
    }
}
