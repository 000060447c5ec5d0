use std::{error::Error, fmt, time::Duration};

use super::{HealthChange, Name, Reason, Switch, Transition};

/// Something a layer did.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A circuit changed its state.
    Transition(&'a Transition),
    /// The health of a target changed.
    Health(&'a HealthChange),
    /// Another backend of a failover serves now, or none.
    Switched(&'a Switch),
    /// A circuit refused a call.
    Refused {
        /// The circuit.
        circuit: &'a Name,
        /// The time until the next probe, if the circuit knows.
        retry_after: Option<Duration>,
    },
    /// A fallback answered in place of the inner service.
    FellBack {
        /// The fallback.
        fallback: &'a Name,
        /// The strategy that answered.
        strategy: &'a str,
    },
    /// Every strategy of a fallback failed, and the caller got the original error.
    FallbackFailed {
        /// The fallback.
        fallback: &'a Name,
        /// Why each strategy failed, in the order they were tried.
        reasons: &'a [Reason],
    },
    /// A kept answer could not be renewed; its source is left alone for a while.
    RefreshFailed {
        /// The cache.
        cache: &'a Name,
        /// What went wrong.
        error: &'a (dyn Error + Send + Sync + 'static),
        /// The wait before the next try for the same key.
        retry_after: Duration,
    },
    /// A connection was made, for the first time or again.
    Connected {
        /// The server, without credentials.
        server: &'a str,
    },
    /// A connection was lost or could not be made; it is tried again in the background.
    Disconnected {
        /// The server, without credentials.
        server: &'a str,
        /// What went wrong.
        error: &'a (dyn Error + Send + Sync + 'static),
        /// The wait before the next try.
        retry_after: Duration,
    },
}

/// One line for people. Of strategies that failed it holds the names: messages, which may quote the
/// request, are left to [`Reason`] and to `Debug`.
impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transition(transition) => fmt::Display::fmt(transition, f),
            Self::Health(change) => fmt::Display::fmt(change, f),
            Self::Switched(switch) => fmt::Display::fmt(switch, f),
            Self::Refused { circuit, retry_after: Some(wait) } => {
                write!(f, "circuit {circuit} refused a call: next probe in {wait:?}")
            }
            Self::Refused { circuit, retry_after: None } => {
                write!(f, "circuit {circuit} refused a call")
            }
            Self::FellBack { fallback, strategy } => {
                write!(f, "fallback {fallback} answered by {strategy}")
            }
            Self::FallbackFailed { fallback, reasons } => {
                write!(f, "fallback {fallback} failed")?;
                for (n, reason) in reasons.iter().enumerate() {
                    write!(f, "{}{}", if n == 0 { ": " } else { ", " }, reason.strategy())?;
                }
                Ok(())
            }
            Self::RefreshFailed { cache, error: _, retry_after } => {
                write!(f, "cache {cache} could not renew an answer; next try in {retry_after:?}")
            }
            Self::Connected { server } => write!(f, "connected to {server}"),
            Self::Disconnected { server, error, retry_after } => {
                write!(f, "disconnected from {server}: {error}; next try in {retry_after:?}")
            }
        }
    }
}
