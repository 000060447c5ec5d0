use std::{num::NonZeroU32, time::Duration};

use super::link::Live;
use crate::{Backoff, Ratio};

/// How long a [`Connection`](super::Connection) waits, and when it gives a connection up.
///
/// The defaults are tabled in the [manual](crate::redis#defaults).
///
/// ```
/// use std::time::Duration;
/// use tower_failover::{Backoff, redis::ConnectionPolicy};
///
/// const POLICY: ConnectionPolicy = ConnectionPolicy::DEFAULT
///     .response_timeout(Duration::from_millis(100))
///     .backoff(Backoff::fixed(Duration::from_millis(100)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct ConnectionPolicy {
    pub(super) response_timeout: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) backoff: Backoff,
    pub(super) timeouts: Option<NonZeroU32>,
}

impl ConnectionPolicy {
    /// The whole of a call: 250 ms.
    pub const RESPONSE_TIMEOUT: Duration = Duration::from_millis(250);
    /// One try to connect: 300 ms.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(300);
    /// The waits between tries: 50 ms, doubling up to 500 ms, of which up to half is taken away at
    /// random.
    pub const BACKOFF: Backoff =
        Backoff::growing(Duration::from_millis(50), Duration::from_millis(500))
            .jitter(Ratio::percent(50));
    /// The timeouts in a row after which a connection counts as dead: 3.
    pub const TIMEOUTS: NonZeroU32 = NonZeroU32::new(3).expect("3 is not 0");

    /// The defaults.
    pub const DEFAULT: Self = Self {
        response_timeout: Self::RESPONSE_TIMEOUT,
        connect_timeout: Self::CONNECT_TIMEOUT,
        backoff: Self::BACKOFF,
        timeouts: Some(Self::TIMEOUTS),
    };

    /// Bounds a whole call, the wait for a connection that is being made for the first time
    /// included.
    ///
    /// The timer is set 2 ms early, or a tenth of a timeout below 20 ms, because timers fire late.
    ///
    /// # Panics
    ///
    /// If `timeout` is zero.
    #[must_use]
    pub const fn response_timeout(self, timeout: Duration) -> Self {
        assert!(!timeout.is_zero(), "the response timeout is above zero");
        Self { response_timeout: timeout, ..self }
    }

    /// Bounds a try to connect: resolving the name, handshakes, login, and the `PING` after them.
    ///
    /// # Panics
    ///
    /// If `timeout` is zero.
    #[must_use]
    pub const fn connect_timeout(self, timeout: Duration) -> Self {
        assert!(!timeout.is_zero(), "the connect timeout is above zero");
        Self { connect_timeout: timeout, ..self }
    }

    /// Waits this long after a failed try to connect, and from one connection to the next while each
    /// is answered `READONLY` or `NOAUTH`.
    ///
    /// One that served for the longest wait there is before it was answered so is replaced at once.
    #[must_use]
    pub const fn backoff(self, backoff: Backoff) -> Self {
        Self { backoff, ..self }
    }

    /// Gives a connection up after this many response timeouts in a row, without a reply between
    /// them.
    ///
    /// The first is a call's, or as much waiting by calls that their callers gave up earlier. After
    /// it the driver asks by `PING`s of its own, one after another, so the run takes this many
    /// response timeouts whether there are many more calls or none.
    ///
    /// # Panics
    ///
    /// If `timeouts` is zero.
    #[must_use]
    pub const fn reconnect_after_timeouts(self, timeouts: u32) -> Self {
        let Some(timeouts) = NonZeroU32::new(timeouts) else {
            panic!("the number of timeouts before a reconnect is above zero")
        };
        Self { timeouts: Some(timeouts), ..self }
    }

    /// Never gives a connection up for response timeouts alone.
    ///
    /// A connection that the network dropped in silence then stays dead until the kernel notices.
    #[must_use]
    pub const fn never_reconnect_after_timeouts(self) -> Self {
        Self { timeouts: None, ..self }
    }

    /// Whether a response timeout's worth of waiting has brought no reply, and that matters.
    pub(super) fn is_suspect(&self, live: &Live) -> bool {
        self.timeouts.is_some() && live.silence() >= self.response_timeout
    }
}

impl Default for ConnectionPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}
