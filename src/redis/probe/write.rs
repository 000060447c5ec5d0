use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use redis::{Cmd, Value};
use tower_service::Service;

use super::{
    WrongAnswer,
    ask::{ask, text},
};
use crate::{
    BoxError,
    event::Name,
    health::{Checking, Probe},
};

/// Good if the server takes a write and reads it back.
///
/// Each check sets a key that no other uses, with an expiry, and compares what it gets: what is
/// late of one check cannot be taken for another's.
///
/// | setting | default |
/// |---|---|
/// | [`keys`](Self::keys) | `tower-failover:probe` |
/// | [`expires_after`](Self::expires_after) | 10 s |
///
/// So at one check a second there are ten small keys. The service has to read where it writes: a
/// reading replica that lags is a bad check.
#[derive(Clone)]
pub struct Write<S> {
    service: S,
    keys: Name,
    /// Tells the keys of this probe from those of the same one in other processes.
    id: u64,
    checks: Arc<AtomicU64>,
    expires_after_secs: u64,
}

impl<S> Write<S> {
    /// The default expiry of a key.
    pub const EXPIRES_AFTER: Duration = Duration::from_secs(10);

    /// Writes over clones of this service.
    #[must_use]
    pub fn new(service: S) -> Self {
        Self {
            service,
            keys: "tower-failover:probe".into(),
            id: fastrand::u64(..),
            checks: Arc::default(),
            expires_after_secs: Self::EXPIRES_AFTER.as_secs(),
        }
    }

    /// Begins its keys with this; `:`, a random number of the probe's own and `:` with the number
    /// of the check follow.
    ///
    /// To probe one node of a cluster, put a hash tag of one of its slots into it.
    #[must_use]
    pub fn keys(self, prefix: impl Into<Name>) -> Self {
        Self { keys: prefix.into(), ..self }
    }

    /// Lets its keys expire after this long: whole seconds, rounded up, from 1 second to a year.
    ///
    /// Longer than a check may take, or a slow check is a bad one.
    #[must_use]
    pub fn expires_after(self, duration: Duration) -> Self {
        const A_YEAR: u64 = 365 * 86_400;
        let begun = u64::from(duration.subsec_nanos() > 0);
        let expires_after_secs = duration.as_secs().saturating_add(begun).clamp(1, A_YEAR);
        Self { expires_after_secs, ..self }
    }
}

impl<S> Probe for Write<S>
where
    S: Service<Cmd, Response = Value> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
{
    fn check(&self) -> Checking {
        let mut service = self.service.clone();
        let check = self.checks.fetch_add(1, Relaxed);
        let key = format!("{}:{:016x}:{check}", self.keys, self.id);
        let value = format!("{:016x}", fastrand::u64(..));
        let mut set = redis::cmd("SET");
        set.arg(&key).arg(&value).arg("EX").arg(self.expires_after_secs);
        let mut get = redis::cmd("GET");
        get.arg(&key);
        Box::pin(async move {
            if ask(&mut service, set).await? != Value::Okay {
                return Err(WrongAnswer::new("SET", "not by OK").into());
            }
            let found = ask(&mut service, get).await?;
            if text(&found) == Some(value.as_bytes()) {
                Ok(())
            } else {
                Err(WrongAnswer::new("GET", "not by what was set").into())
            }
        })
    }
}

/// Says nothing of the service.
impl<S> fmt::Debug for Write<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Write")
            .field("keys", &self.keys)
            .field("expires_after_secs", &self.expires_after_secs)
            .finish_non_exhaustive()
    }
}
