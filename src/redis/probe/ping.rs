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

/// Good if the server answers `PING` with `PONG`.
#[derive(Clone)]
pub struct Ping<S> {
    service: S,
}

impl<S> Ping<S> {
    /// Asks over clones of this service.
    #[must_use]
    pub const fn new(service: S) -> Self {
        Self { service }
    }
}

impl<S> Probe for Ping<S>
where
    S: Service<Cmd, Response = Value> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
{
    fn check(&self) -> Checking {
        let mut service = self.service.clone();
        Box::pin(async move {
            let answer = ask(&mut service, redis::cmd("PING")).await?;
            match text(&answer) {
                Some(b"PONG") => Ok(()),
                Some(_) | None => Err(WrongAnswer::new("PING", "not by PONG").into()),
            }
        })
    }
}

/// Says nothing of the service.
impl<S> fmt::Debug for Ping<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ping").finish_non_exhaustive()
    }
}
