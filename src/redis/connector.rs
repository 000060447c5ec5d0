use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, IntoConnectionInfo, ProtocolVersion, PushInfo, PushKind,
    RedisError, RedisResult, aio::MultiplexedConnection,
};
use tokio::sync::Notify;
use tower_service::Service;

/// Connects to one server, resolving its name anew each time.
///
/// TCP_NODELAY is on, and unacknowledged data is given up after [`Self::USER_TIMEOUT`] unless the
/// connection info names another `TCP_USER_TIMEOUT` (Linux). It has no time limits of its own: a
/// [`Connection`](super::Connection) sets them. The driver of each connection it makes is spawned
/// by the client. Of an error reply to its login it keeps the code, since the words may repeat the
/// password.
///
/// To connect elsewhere each time, or with other credentials, or in a simulation, write a connector
/// with `tower::service_fn`: every `Service<()>` whose response is a [`MultiplexedConnection`] is
/// one. [`Connection::builder`](super::Connection::builder) has an example.
#[derive(Clone)]
pub struct Connector {
    client: Client,
    pub(super) on_hangup: Option<Arc<Notify>>,
}

impl Connector {
    /// The time after which data that the peer does not acknowledge ends a connection: 2 s.
    pub const USER_TIMEOUT: Duration = Duration::from_secs(2);

    /// Connects to the server at a URL or a `ConnectionInfo`.
    ///
    /// # Errors
    ///
    /// If it names no server. The error holds no part of it.
    pub fn open(server: impl IntoConnectionInfo) -> RedisResult<Self> {
        let info = server.into_connection_info()?;
        let tcp = with_user_timeout(info.tcp_settings().clone().set_nodelay(true));
        Ok(Self { client: Client::open(info.set_tcp_settings(tcp))?, on_hangup: None })
    }

    /// Where the server is, without credentials.
    #[must_use]
    pub fn server(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }

    fn config(&self) -> AsyncConnectionConfig {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_pipeline_buffer_size(BUFFER);
        let resp3 =
            self.client.get_connection_info().redis_settings().protocol() == ProtocolVersion::RESP3;
        match &self.on_hangup {
            Some(on_hangup) if resp3 => {
                let on_hangup = on_hangup.clone();
                config.set_push_sender(move |push: PushInfo| {
                    if push.kind == PushKind::Disconnection {
                        on_hangup.notify_one();
                    }
                    Ok::<_, std::convert::Infallible>(())
                })
            }
            Some(_) | None => config,
        }
    }
}

/// Keeps the code alone of an error reply to the login, whose words may repeat the password, whole
/// or cut off, as a server does with the arguments of a command it does not know.
fn without_words(error: RedisError) -> RedisError {
    match error.code() {
        Some(code) => redis::make_extension_error(code.to_owned(), Some(REFUSED.to_owned())),
        None => error,
    }
}

const REFUSED: &str = "the server refused the login";

/// The commands that may wait to be written before callers do.
const BUFFER: usize = 1024;

#[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
fn with_user_timeout(tcp: redis::io::tcp::TcpSettings) -> redis::io::tcp::TcpSettings {
    match tcp.user_timeout() {
        Some(_) => tcp,
        None => tcp.set_user_timeout(Connector::USER_TIMEOUT),
    }
}

#[cfg(not(any(target_os = "android", target_os = "fuchsia", target_os = "linux")))]
fn with_user_timeout(tcp: redis::io::tcp::TcpSettings) -> redis::io::tcp::TcpSettings {
    tcp
}

impl Service<()> for Connector {
    type Response = MultiplexedConnection;
    type Error = RedisError;
    type Future = Pin<Box<dyn Future<Output = RedisResult<MultiplexedConnection>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<RedisResult<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            this.client
                .get_multiplexed_async_connection_with_config(&this.config())
                .await
                .map_err(without_words)
        })
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("server", &self.server()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use redis::io::tcp::TcpSettings;

    use super::*;

    fn settings(connector: &Connector) -> &TcpSettings {
        connector.client.get_connection_info().tcp_settings()
    }

    #[test]
    fn nagle_is_off_and_unacknowledged_data_has_a_limit() {
        let connector = Connector::open("redis://127.0.0.1/").unwrap();
        assert!(settings(&connector).nodelay());
        #[cfg(target_os = "linux")]
        assert_eq!(settings(&connector).user_timeout(), Some(Connector::USER_TIMEOUT));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_limit_of_the_connection_info_is_kept() {
        let five = Duration::from_secs(5);
        let info = "redis://127.0.0.1/".into_connection_info().unwrap();
        let info = info.set_tcp_settings(TcpSettings::default().set_user_timeout(five));
        assert_eq!(settings(&Connector::open(info).unwrap()).user_timeout(), Some(five));
    }
}
