//! Who is told? Every layer reports what it did as an [`Event`] to its [`Observer`]s.
//!
//! Observers are called outside every lock, after the new state is visible, in the order of the
//! transitions of a circuit. One that panics is passed over; one that calls back into what told it
//! harms nothing. Layers never log and never count: `Log` does the first over `tracing` (feature
//! `tracing`), [`History`] keeps the past.
//!
//! ```
//! use tower_failover::{
//!     circuit_breaker::{Circuit, Policy},
//!     event::{Event, History},
//! };
//!
//! let history = History::new(64);
//! let circuit = Circuit::builder("redis")
//!     .policy(Policy::consecutive(3))
//!     .observe(history.clone())
//!     .observe(|event: &Event<'_>| println!("{event}"))
//!     .build();
//! circuit.force_open();
//! assert_eq!(history.transitions().len(), 1);
//! ```

mod history;
#[cfg(feature = "tracing")]
mod log;
mod name;
mod observer;
mod transition;

use std::{error::Error, fmt, time::Duration};

#[cfg(feature = "tracing")]
pub use self::log::Log;
pub use self::{history::History, name::Name, observer::Observer, transition::Transition};
pub use crate::logic::{Cause, State};
pub(crate) use observer::Observers;

/// Something a layer did.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A circuit changed its state.
    Transition(&'a Transition),
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

/// Why a strategy of a fallback did not answer.
///
/// Its [message](Self::message), which `Display` and `Debug` show too, may quote the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    strategy: Name,
    message: String,
}

impl Reason {
    /// This strategy failed, and said this.
    pub fn new(strategy: impl Into<Name>, message: impl Into<String>) -> Self {
        Self { strategy: strategy.into(), message: message.into() }
    }

    /// The strategy that failed.
    #[must_use]
    pub fn strategy(&self) -> &str {
        self.strategy.as_str()
    }

    /// What it said: the text of its own error, which may quote the request.
    ///
    /// A Redis server, for one, repeats the arguments of a command it does not know.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.strategy, self.message)
    }
}

/// One line for people. Of strategies that failed it holds the names: messages, which may quote the
/// request, are left to [`Reason`] and to `Debug`.
impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transition(transition) => fmt::Display::fmt(transition, f),
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
                    write!(f, "{}{}", if n == 0 { ": " } else { ", " }, reason.strategy)?;
                }
                Ok(())
            }
            Self::Connected { server } => write!(f, "connected to {server}"),
            Self::Disconnected { server, error, retry_after } => {
                write!(f, "disconnected from {server}: {error}; next try in {retry_after:?}")
            }
        }
    }
}
