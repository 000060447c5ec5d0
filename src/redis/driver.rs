use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
    time::Duration,
};

use redis::{RedisError, RedisResult, aio::MultiplexedConnection};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tower_service::Service;

use super::{
    ConnectionPolicy,
    call::timed_out,
    link::{Link, Live, Shared},
    watchman::{Unused, Watchman, ping},
};
use crate::{
    clock,
    event::{Event, Name, Observers},
};

/// Makes the connection of a [`Connection`](super::Connection), again and again.
///
/// Ends when the last clone of that connection is dropped. Dropping it closes the connection for
/// all of them, for good.
#[must_use = "without its driver a connection is never made"]
pub struct Driver(Pin<Box<dyn Future<Output = ()> + Send>>);

impl Driver {
    pub(super) fn new(run: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Box::pin(run))
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}

/// What the driver does. It holds the shared part weakly: only the handles keep it.
pub(super) struct Task<C> {
    shared: Weak<Shared>,
    link: watch::Receiver<Link>,
    watchman: Watchman,
    server: Name,
    policy: ConnectionPolicy,
    observers: Observers,
    connector: C,
}

impl<C> Task<C>
where
    C: Service<(), Response = MultiplexedConnection, Error = RedisError>,
{
    pub(super) fn new(shared: &Arc<Shared>, connector: C, observers: Observers) -> Self {
        Self {
            shared: Arc::downgrade(shared),
            link: shared.link.subscribe(),
            watchman: Watchman::new(shared),
            server: shared.server.clone(),
            policy: shared.policy,
            observers,
            connector,
        }
    }

    pub(super) async fn run(mut self) {
        let Unused = self.drive().await;
    }

    async fn drive(&mut self) -> Unused {
        let mut failures = 0_u32;
        loop {
            let (error, age) = match self.connect().await {
                Err(Unused) => return Unused,
                Ok(Err(error)) => {
                    failures = failures.saturating_add(1);
                    let Some(shared) = self.shared.upgrade() else { return Unused };
                    shared.fail(error.clone());
                    (error, Duration::ZERO)
                }
                Ok(Ok(connection)) => {
                    let live = Arc::new(Live::new(connection));
                    let Some(shared) = self.shared.upgrade() else { return Unused };
                    shared.publish(&live);
                    drop(shared);
                    self.observers.tell(&Event::Connected { server: self.server.as_str() });
                    let Ok(error) = self.watchman.watch(self.link.clone(), &live).await else {
                        return Unused;
                    };
                    let age = clock::now() - live.made_at;
                    // Reads succeed on a replica too: only time tells that a master was reached.
                    let (has_served, age) = match live.worn() {
                        Some(_) => (age >= self.policy.backoff.longest(), age),
                        None => (live.replies() > 0, Duration::ZERO),
                    };
                    failures = if has_served { 0 } else { failures.saturating_add(1) };
                    (error, age)
                }
            };
            let wait = match failures {
                0 => Duration::ZERO,
                _ => self.policy.backoff.wait(failures, fastrand::f64()).saturating_sub(age),
            };
            let server = self.server.as_str();
            self.observers.tell(&Event::Disconnected { server, error: &error, retry_after: wait });
            if self.watchman.while_used(&mut self.link, sleep(wait)).await.is_err() {
                return Unused;
            }
        }
    }

    async fn connect(&mut self) -> Result<RedisResult<MultiplexedConnection>, Unused> {
        let connector = &mut self.connector;
        let connect = timeout(self.policy.connect_timeout, async {
            poll_fn(|cx| connector.poll_ready(cx)).await?;
            let mut connection = connector.call(()).await?;
            ping(&mut connection).await?;
            Ok(connection)
        });
        let made = self.watchman.while_used(&mut self.link, connect).await?;
        Ok(made.unwrap_or_else(|_| Err(timed_out())))
    }
}

impl<C> Drop for Task<C> {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.end();
        }
    }
}
