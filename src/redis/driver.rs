use std::{
    fmt,
    future::poll_fn,
    pin::{Pin, pin},
    sync::{Arc, Weak},
    task::{Context, Poll},
    time::Duration,
};

use redis::{RedisError, RedisResult, ServerError, Value, aio::MultiplexedConnection};
use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};
use tower_service::Service;

use super::{
    ConnectionPolicy,
    call::timed_out,
    link::{Link, Live, Shared},
    verdict::Verdict,
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
    nudge: Arc<Notify>,
    server: Name,
    policy: ConnectionPolicy,
    observers: Observers,
    connector: C,
}

/// A connection that answers but is not wanted (`READONLY`, `NOAUTH`) is replaced this often at
/// most.
const REPLACE_EVERY: Duration = Duration::from_millis(200);

/// All handles are gone.
struct Unused;

impl<C> Task<C>
where
    C: Service<(), Response = MultiplexedConnection, Error = RedisError>,
{
    pub(super) fn new(shared: &Arc<Shared>, connector: C, observers: Observers) -> Self {
        Self {
            shared: Arc::downgrade(shared),
            link: shared.link.subscribe(),
            nudge: shared.nudge.clone(),
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
            let (error, pause) = match self.connect().await {
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
                    let Ok(error) = self.watch(&live).await else { return Unused };
                    failures = if live.is_proven() { 0 } else { failures.saturating_add(1) };
                    let age = clock::now() - live.made_at;
                    let pause = REPLACE_EVERY.saturating_sub(age);
                    (error, live.worn().map_or(Duration::ZERO, |_| pause))
                }
            };
            let wait = match failures {
                0 => pause,
                _ => pause.max(self.policy.backoff.wait(failures, fastrand::f64())),
            };
            let server = self.server.as_str();
            self.observers.tell(&Event::Disconnected { server, error: &error, retry_after: wait });
            if while_used(&mut self.link, sleep(wait)).await.is_err() {
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
        let made = while_used(&mut self.link, connect).await?;
        Ok(made.unwrap_or_else(|_| Err(timed_out())))
    }

    /// Waits until this connection is lost or should be replaced, and says why.
    async fn watch(&mut self, live: &Arc<Live>) -> Result<RedisError, Unused> {
        loop {
            let nudge = self.nudge.clone();
            match race(lost(&mut self.link, live), nudge.notified()).await {
                Either::Left(lost) => return lost,
                Either::Right(()) => {}
            }
            if let Some(error) = live.worn() {
                return Ok(error.clone());
            }
            let mut connection = live.connection.clone();
            let alive = timeout(self.policy.connect_timeout, ping(&mut connection)).await;
            if let Err(error) = alive.unwrap_or_else(|_| Err(timed_out())) {
                self.shared.upgrade().ok_or(Unused)?.lose(live, error);
            }
        }
    }
}

impl<C> Drop for Task<C> {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.end();
        }
    }
}

/// Asks for a sign of life. An error reply is one, unless the server turns us away with it.
async fn ping(connection: &mut MultiplexedConnection) -> RedisResult<()> {
    let reply = connection.send_packed_command(&redis::cmd("PING")).await?;
    if let Value::ServerError(reply) = reply
        && turns_away(&reply)
    {
        return Err(reply.into());
    }
    Ok(())
}

fn turns_away(reply: &ServerError) -> bool {
    match reply.code() {
        "NOAUTH" | "DENIED" => true,
        "ERR" => Verdict::of_reply(reply) == Verdict::Unavailable,
        _ => false,
    }
}

async fn lost(link: &mut watch::Receiver<Link>, live: &Arc<Live>) -> Result<RedisError, Unused> {
    let is_other = |link: &Link| !matches!(link, Link::Up(now) if Arc::ptr_eq(now, live));
    match &*link.wait_for(is_other).await.map_err(|_| Unused)? {
        Link::Down { reason, .. } => Ok(reason.clone()),
        Link::Up(_) | Link::Connecting { .. } | Link::Ended { .. } => Err(Unused),
    }
}

/// Runs `work` for as long as there is a handle.
async fn while_used<T>(
    link: &mut watch::Receiver<Link>,
    work: impl Future<Output = T>,
) -> Result<T, Unused> {
    let unused = async { while link.changed().await.is_ok() {} };
    match race(unused, work).await {
        Either::Left(()) => Err(Unused),
        Either::Right(done) => Ok(done),
    }
}

enum Either<A, B> {
    Left(A),
    Right(B),
}

async fn race<A: Future, B: Future>(a: A, b: B) -> Either<A::Output, B::Output> {
    let (mut a, mut b) = (pin!(a), pin!(b));
    poll_fn(|cx| match a.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Either::Left(done)),
        Poll::Pending => b.as_mut().poll(cx).map(Either::Right),
    })
    .await
}
