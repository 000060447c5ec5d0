use std::{error::Error, fmt, io, time::Duration};

use redis::RedisError;

use super::kept::keep;
use crate::{clock, event::Name, logic::Moment};

/// The error of a call on a [`Connection`](super::Connection) that is down: since when, and why.
///
/// The call was not sent. It comes as a `RedisError` that is a
/// [connection refusal](RedisError::is_connection_refusal) and has this as its source;
/// [`Stack::refusal`](crate::redis::Stack::refusal) finds it there.
#[derive(Clone)]
pub struct Disconnected {
    server: Name,
    since: Moment,
    reason: Reason,
}

#[derive(Clone)]
pub(super) enum Reason {
    /// The first try to connect is still under way.
    Connecting,
    Failed(RedisError),
    /// Nobody runs the driver any more.
    NoDriver,
}

impl Disconnected {
    pub(super) fn new(server: Name, since: Moment, reason: Reason) -> Self {
        Self { server, since, reason }
    }

    pub(super) fn into_redis(self) -> RedisError {
        keep(io::ErrorKind::ConnectionRefused, self)
    }

    /// The server, without credentials.
    #[must_use]
    pub fn server(&self) -> &str {
        self.server.as_str()
    }

    /// How long there has been no connection, counted to now.
    #[must_use]
    pub fn down_for(&self) -> Duration {
        clock::now() - self.since
    }

    /// What broke the connection or kept the last try from making one, if it was an error.
    #[must_use]
    pub fn reason(&self) -> Option<&RedisError> {
        match &self.reason {
            Reason::Failed(error) => Some(error),
            Reason::Connecting | Reason::NoDriver => None,
        }
    }
}

impl fmt::Display for Disconnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, since: _, reason } = self;
        let down_for = self.down_for();
        match reason {
            Reason::Connecting => write!(f, "{server} is not connected yet, for {down_for:?}"),
            Reason::Failed(error) => write!(f, "{server} has been down for {down_for:?}: {error}"),
            Reason::NoDriver => write!(f, "{server} is not connected: its driver has ended"),
        }
    }
}

impl fmt::Debug for Disconnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disconnected")
            .field("server", &self.server)
            .field("down_for", &self.down_for())
            .field("reason", &self.reason())
            .finish()
    }
}

impl Error for Disconnected {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.reason().map(|error| error as _)
    }
}
