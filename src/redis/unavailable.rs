use std::error::Error;

use redis::{Arg, Cmd, ErrorKind, RedisError, ServerError, ServerErrorKind};

use super::{Disconnected, Verdict, bare::bare, kept::kept, verdict::first_reply};
use crate::{
    BoxError, Classify, Outcome, circuit_breaker::Open, failover::NoBackend, fallback::unshared,
    health::Unhealthy,
};

/// Treats as failures the errors that say the server is not available.
///
/// These are every [`Verdict`] but [`CallersOwn`](Verdict::CallersOwn), whose errors are a success
/// of the server. It judges `RedisError` and, above a layer that boxes errors, `BoxError`: there a
/// boxed `RedisError` is judged as such and every other error is a failure.
///
/// ```
/// use redis::{ErrorKind, RedisError};
/// use tower_failover::{Classify, Outcome, redis::Unavailable};
///
/// let dropped = RedisError::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
/// assert!(Unavailable::may_have_run(&dropped));
/// assert_eq!(Unavailable.classify(&Err::<(), _>(dropped)), Outcome::Failure);
///
/// let own = RedisError::from((ErrorKind::UnexpectedReturnType, "not a number"));
/// assert_eq!(Unavailable.classify(&Err::<(), _>(own)), Outcome::Success);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Unavailable;

impl Unavailable {
    /// Whether the command or the pipeline that ended in this error may have run.
    ///
    /// `false` is certain for everything but scripts and `EXEC`, which
    /// [`command_may_have_run`](Self::command_may_have_run) judges: it was refused by a circuit, by
    /// a [health gate](crate::health::HealthGateLayer) or by a [`Connection`](super::Connection)
    /// that is down, a
    /// [failover](crate::failover::Failover) had no backend for it, no connection was made, or the server refused it. Everything else may have run,
    /// wholly or in part: a timeout, a connection dropped in flight, a pipeline of which a command
    /// failed, whether it is a script or not.
    ///
    /// Takes a [`RedisError`] or any other error; for a boxed one, pass `&*error`. A client that
    /// repeats commands by itself, as `ClusterConnection` does unless its `retries` is 0, may end
    /// in a refusal after it ran the command: its errors cannot be judged.
    #[must_use]
    pub fn may_have_run(error: &(dyn Error + 'static)) -> bool {
        let error = unshared(error);
        if error.is::<Open>() || error.is::<Unhealthy>() || error.is::<Disconnected>() {
            return false;
        }
        if let Some(nobody) = error.downcast_ref::<NoBackend>() {
            return nobody.may_have_run();
        }
        match error.downcast_ref::<RedisError>() {
            Some(error) => match kept(error) {
                Some(error) => Self::may_have_run(error),
                None => redis_may_have_run(error),
            },
            None => true,
        }
    }

    /// Whether this command, which ended in this error, may have run.
    ///
    /// `false` is certain for scripts too (`EVAL`, `EVALSHA`, `FCALL`): those may have run whatever
    /// the server replied, since a script hands out the errors of its commands and makes up others,
    /// after it has written. So may an `EXEC`, in whose place the error of one of its commands is
    /// reported. All other commands, and scripts that cannot write (`EVAL_RO`), are judged as by
    /// [`may_have_run`](Self::may_have_run).
    ///
    /// ```
    /// use redis::{RedisError, cmd};
    /// use tower_failover::redis::Unavailable;
    ///
    /// # fn example() -> Result<(), RedisError> {
    /// let reply = redis::parse_redis_value(b"-OOM command not allowed\r\n")?.extract_error();
    /// let error = reply.expect_err("it is one");
    /// assert!(!Unavailable::command_may_have_run(&cmd("SET"), &error));
    /// assert!(Unavailable::command_may_have_run(&cmd("EVAL"), &error));
    /// # Ok(()) }
    /// # example().unwrap();
    /// ```
    #[must_use]
    pub fn command_may_have_run(command: &Cmd, error: &(dyn Error + 'static)) -> bool {
        let is_reply = || bare(error).downcast_ref().and_then(first_reply).is_some();
        Self::may_have_run(error) || runs_others(command) && is_reply()
    }
}

impl<T> Classify<T, RedisError> for Unavailable {
    fn classify(&self, result: &Result<T, RedisError>) -> Outcome {
        match result {
            Ok(_) => Outcome::Success,
            Err(error) => outcome(error),
        }
    }
}

impl<T> Classify<T, BoxError> for Unavailable {
    fn classify(&self, result: &Result<T, BoxError>) -> Outcome {
        match result {
            Ok(_) => Outcome::Success,
            Err(error) => outcome(&**error),
        }
    }
}

fn outcome(error: &(dyn Error + 'static)) -> Outcome {
    match Verdict::of(error) {
        Verdict::CallersOwn => Outcome::Success,
        Verdict::WritesRefused | Verdict::Unavailable => Outcome::Failure,
    }
}

fn redis_may_have_run(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Io => !error.is_connection_refusal(),
        ErrorKind::Server(_) | ErrorKind::Extension => {
            !first_reply(error).is_some_and(|reply| is_refused(error, &reply))
        }
        ErrorKind::AuthenticationFailed
        | ErrorKind::InvalidClientConfig
        | ErrorKind::Client
        | ErrorKind::MasterNameNotFoundBySentinel
        | ErrorKind::NoValidReplicasFoundBySentinel
        | ErrorKind::EmptySentinelList
        | ErrorKind::ClusterConnectionNotFound
        | ErrorKind::RESP3NotSupported => false,
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => true,
        _ => true,
    }
}

/// Whether the reply to this command may be the one to another that it ran.
fn runs_others(command: &Cmd) -> bool {
    let Some(Arg::Simple(name)) = command.args_iter().next() else { return false };
    ["EVAL", "EVALSHA", "FCALL", "EXEC"].iter().any(|it| name.eq_ignore_ascii_case(it.as_bytes()))
}

/// Whether the server did nothing of what was sent.
///
/// Of a discarded transaction it did nothing whatever was wrong with it. Its error has a kind of its
/// own and holds the replies to its commands; that of a pipeline has the kind of the first of them.
fn is_refused(error: &RedisError, reply: &ServerError) -> bool {
    let discarded = Some(ServerErrorKind::ExecAbort);
    let is_transaction =
        error.kind() == ErrorKind::Server(ServerErrorKind::ExecAbort) && reply.kind() != discarded;
    is_transaction || ServerError::try_from(error.clone()).is_ok() && is_refusal(reply)
}

/// Whether this reply to a single command says that nothing of it was done.
fn is_refusal(reply: &ServerError) -> bool {
    let in_script = reply.details().is_some_and(|detail| detail.contains("script: "));
    let refused = match Verdict::of_reply(reply) {
        Verdict::Unavailable | Verdict::WritesRefused => true,
        Verdict::CallersOwn => {
            matches!(reply.code(), "WRONGTYPE" | "NOPERM" | "CROSSSLOT" | "EXECABORT" | "NOSCRIPT")
        }
    };
    refused && !in_script
}
