use std::fmt;

use redis::{Cmd, Value};
use tower_service::Service;

use super::{
    WrongAnswer,
    ask::{ask, text},
};
use crate::{
    BoxError,
    health::{Checking, Probe},
};

/// Good if the server says by `ROLE` that it is what it has to be.
///
/// Writes nothing, so it sees a replica where a master is needed, but no master that is out of
/// memory or cannot save.
#[derive(Clone)]
pub struct Role<S> {
    service: S,
    wanted: Wanted,
}

#[derive(Clone, Copy, Debug)]
enum Wanted {
    Master,
    Replica,
}

impl<S> Role<S> {
    /// Asks for a master, over clones of this service.
    #[must_use]
    pub const fn master(service: S) -> Self {
        Self { service, wanted: Wanted::Master }
    }

    /// Asks for a replica, whether it hears from its master or not, over clones of this service.
    #[must_use]
    pub const fn replica(service: S) -> Self {
        Self { service, wanted: Wanted::Replica }
    }
}

impl Wanted {
    /// Judges the reply to `ROLE`: an array that begins with a word.
    fn judge(self, reply: &Value) -> Result<(), WrongAnswer> {
        let items = if let Value::Array(items) = reply { items.as_slice() } else { &[] };
        let word = items.first().and_then(text);
        match (self, word) {
            (Self::Master, Some(b"master")) | (Self::Replica, Some(b"slave")) => Ok(()),
            (Self::Replica, Some(b"master")) => Err(wrong("it is a master")),
            (Self::Master, Some(b"slave")) => Err(wrong("it is a replica")),
            (_, Some(b"sentinel")) => Err(wrong("it is a sentinel")),
            (_, Some(_) | None) => Err(wrong("by no known role")),
        }
    }
}

const fn wrong(wrong: &'static str) -> WrongAnswer {
    WrongAnswer::new("ROLE", wrong)
}

impl<S> Probe for Role<S>
where
    S: Service<Cmd, Response = Value> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
{
    fn check(&self) -> Checking {
        let (mut service, wanted) = (self.service.clone(), self.wanted);
        Box::pin(async move {
            let reply = ask(&mut service, redis::cmd("ROLE")).await?;
            Ok(wanted.judge(&reply)?)
        })
    }
}

/// Says nothing of the service.
impl<S> fmt::Debug for Role<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Role").field("wanted", &self.wanted).finish_non_exhaustive()
    }
}
