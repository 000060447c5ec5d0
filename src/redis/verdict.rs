use std::error::Error;

use redis::{ErrorKind, RedisError, ServerError};

use super::bare::bare;

/// What an error says about the server.
///
/// | verdict | errors |
/// |---|---|
/// | [`Unavailable`](Self::Unavailable) | refused, dropped, timed out, not the Redis protocol, `LOADING`, `MASTERDOWN`, `CLUSTERDOWN`, `TRYAGAIN`, `BUSY`, `NOAUTH`, `WRONGPASS`, `DENIED`, `MOVED` and `ASK` (a client that does not follow them), `ERR max number of clients reached`; and whatever is not a [`RedisError`], such as [`Open`](crate::circuit_breaker::Open) |
/// | [`WritesRefused`](Self::WritesRefused) | `READONLY`, `OOM`, `NOREPLICAS`, `MISCONF` |
/// | [`CallersOwn`](Self::CallersOwn) | every other error reply (`WRONGTYPE`, `ERR`, `NOPERM`, `CROSSSLOT`, `EXECABORT`, `NOSCRIPT`, those of scripts), a reply of another type than asked for, a command that could not be sent |
///
/// A pipeline is judged by the first of its commands that failed. A discarded transaction is judged
/// by what discarded it, if the server says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The caller's mistake: the server did its work.
    CallersOwn,
    /// The server takes no writes; reads may go on.
    WritesRefused,
    /// The server does not serve.
    Unavailable,
}

impl Verdict {
    /// Judges a [`RedisError`], or any other error that stands in its place.
    ///
    /// For a boxed error, pass `&*error`. One that several callers share, or that a
    /// failover did not repeat for it, is judged as the one it is.
    #[must_use]
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        match bare(error).downcast_ref::<RedisError>() {
            Some(error) => Self::of_redis(error),
            None => Self::Unavailable,
        }
    }

    fn of_redis(error: &RedisError) -> Self {
        match error.kind() {
            ErrorKind::Server(_) | ErrorKind::Extension => match first_reply(error) {
                Some(reply) => Self::of_reply(&reply),
                None => Self::of_code(error.code().unwrap_or_default(), error.detail()),
            },
            ErrorKind::Parse if !is_protocol_error(error) => Self::CallersOwn,
            // Those of TLS, which have a source, are not about the command.
            ErrorKind::Client if error.source().is_none() => Self::CallersOwn,
            ErrorKind::UnexpectedReturnType => Self::CallersOwn,
            ErrorKind::Parse
            | ErrorKind::Client
            | ErrorKind::Io
            | ErrorKind::AuthenticationFailed
            | ErrorKind::InvalidClientConfig
            | ErrorKind::MasterNameNotFoundBySentinel
            | ErrorKind::NoValidReplicasFoundBySentinel
            | ErrorKind::EmptySentinelList
            | ErrorKind::ClusterConnectionNotFound
            | ErrorKind::RESP3NotSupported => Self::Unavailable,
            _ if error.category() == "serializing" => Self::CallersOwn,
            _ => Self::Unavailable,
        }
    }

    pub(super) fn of_reply(reply: &ServerError) -> Self {
        Self::of_code(reply.code(), reply.details())
    }

    fn of_code(code: &str, detail: Option<&str>) -> Self {
        let detail = detail.unwrap_or_default();
        match code {
            "LOADING" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" | "BUSY" | "MOVED" | "ASK"
            | "NOAUTH" | "WRONGPASS" | "DENIED" => Self::Unavailable,
            "READONLY" | "OOM" | "NOREPLICAS" | "MISCONF" => Self::WritesRefused,
            "ERR" if detail.starts_with("max number of clients") => Self::Unavailable,
            "EXECABORT" => match detail.strip_prefix("Transaction discarded because of: ") {
                Some(reason) => Self::of_code(reason.split(' ').next().unwrap_or_default(), None),
                None => Self::CallersOwn,
            },
            _ => Self::CallersOwn,
        }
    }
}

/// The error reply in an error, or of a pipeline the first.
pub(super) fn first_reply(error: &RedisError) -> Option<ServerError> {
    let replies = error.clone().into_server_errors()?;
    replies.first().map(|(_, reply)| reply.clone())
}

/// Tells bytes that are no Redis protocol from a reply that is not of the type asked for: the
/// client has one kind for both.
fn is_protocol_error(error: &RedisError) -> bool {
    error.detail().is_some_and(|detail| detail.starts_with("Parse error at"))
}
