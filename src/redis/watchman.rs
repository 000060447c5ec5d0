use std::{
    convert::Infallible,
    sync::{Arc, Weak},
};

use redis::{ErrorKind, RedisError, RedisResult, ServerError, Value, aio::MultiplexedConnection};
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};

use super::{
    ConnectionPolicy,
    call::timed_out,
    link::{Link, Live, Shared},
    race::{Either, race},
    verdict::Verdict,
};

/// Looks after a connection that is up.
pub(super) struct Watchman {
    shared: Weak<Shared>,
    nudge: Arc<Notify>,
    policy: ConnectionPolicy,
}

/// All handles are gone.
pub(super) struct Unused;

impl Watchman {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        let (nudge, policy) = (shared.nudge.clone(), shared.policy);
        Self { shared: Arc::downgrade(shared), nudge, policy }
    }

    /// Waits until this connection is lost or should be replaced, and says why.
    pub(super) async fn watch(
        &self,
        link: watch::Receiver<Link>,
        live: &Arc<Live>,
    ) -> Result<RedisError, Unused> {
        match race(lost(link, live), self.tend(live)).await {
            Either::Left(lost) => lost,
            Either::Right(worn) => Ok(worn),
        }
    }

    /// Runs `work` for as long as there is a handle, and looks after the worn connection that may
    /// be in use meanwhile.
    pub(super) async fn while_used<T>(
        &self,
        link: &mut watch::Receiver<Link>,
        work: impl Future<Output = T>,
    ) -> Result<T, Unused> {
        let unused = async { while link.changed().await.is_ok() {} };
        match race(unused, race(self.guard(), work)).await {
            Either::Left(()) => Err(Unused),
            Either::Right(Either::Left(never)) => match never {},
            Either::Right(Either::Right(done)) => Ok(done),
        }
    }

    /// Examines the connection whenever it is asked to, until it is worn out.
    async fn tend(&self, live: &Arc<Live>) -> RedisError {
        loop {
            self.nudge.notified().await;
            if let Some(error) = live.worn() {
                return error.clone();
            }
            self.lose_if_dead(live).await;
        }
    }

    /// Examines whatever connection there is whenever it is asked to.
    async fn guard(&self) -> Infallible {
        loop {
            self.nudge.notified().await;
            if let Some(live) = self.shared.upgrade().and_then(|shared| shared.live()) {
                self.lose_if_dead(&live).await;
            }
        }
    }

    async fn lose_if_dead(&self, live: &Arc<Live>) {
        if let Err(error) = self.examine(live).await
            && let Some(shared) = self.shared.upgrade()
        {
            shared.lose(live, error);
        }
    }

    /// Asks for a sign of life as often as the policy says.
    async fn examine(&self, live: &Live) -> RedisResult<()> {
        let mut connection = live.connection.clone();
        let replies = live.replies();
        let mut timeouts = u32::from(self.policy.is_suspect(live));
        loop {
            if self.policy.timeouts.is_some_and(|limit| timeouts >= limit.get()) {
                return Err(timed_out());
            }
            let sign = timeout(self.policy.response_timeout, ping(&mut connection)).await;
            match sign.unwrap_or_else(|_| Err(timed_out())) {
                Err(error) if error.is_timeout() => timeouts += 1,
                Err(error) if matches!(error.kind(), ErrorKind::Io | ErrorKind::Parse) => {
                    return Err(error);
                }
                Ok(()) | Err(_) => {
                    live.calm();
                    return Ok(());
                }
            }
            if live.replies() != replies || self.policy.timeouts.is_none() {
                return Ok(());
            }
        }
    }
}

/// Asks for a sign of life. An error reply is one, unless the server turns us away with it.
pub(super) async fn ping(connection: &mut MultiplexedConnection) -> RedisResult<()> {
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

async fn lost(mut link: watch::Receiver<Link>, live: &Arc<Live>) -> Result<RedisError, Unused> {
    let is_other = |link: &Link| !matches!(link, Link::Up(now) if Arc::ptr_eq(now, live));
    match &*link.wait_for(is_other).await.map_err(|_| Unused)? {
        Link::Down { reason, .. } => Ok(reason.clone()),
        Link::Up(_) | Link::Connecting { .. } | Link::Ended { .. } => Err(Unused),
    }
}
