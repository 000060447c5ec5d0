use std::{
    fmt,
    time::{Duration, SystemTime},
};

use super::{Name, Trigger};

/// Another backend serves now, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    pub(crate) failover: Name,
    pub(crate) from: Option<Name>,
    pub(crate) to: Option<Name>,
    pub(crate) trigger: Trigger,
    pub(crate) reason: Name,
    pub(crate) at: SystemTime,
    pub(crate) switched_after: Duration,
    pub(crate) served_after: Option<Duration>,
    pub(crate) success: Option<bool>,
}

impl Switch {
    /// The failover whose backend changed.
    #[must_use]
    pub fn failover(&self) -> &Name {
        &self.failover
    }

    /// The backend that served; none if none could.
    #[must_use]
    pub fn from(&self) -> Option<&Name> {
        self.from.as_ref()
    }

    /// The backend that serves; none if none can.
    #[must_use]
    pub fn to(&self) -> Option<&Name> {
        self.to.as_ref()
    }

    /// What brought it about.
    #[must_use]
    pub fn trigger(&self) -> Trigger {
        self.trigger
    }

    /// Why, in words: the error of the call, or what the operator said; cut after 256 bytes.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.reason.as_str()
    }

    /// When, by the wall clock.
    #[must_use]
    pub fn at(&self) -> SystemTime {
        self.at
    }

    /// The time from the first sign of what brought it about until the switch: of a failed call
    /// from its beginning, of a recovery from the first good check.
    #[must_use]
    pub fn switched_after(&self) -> Duration {
        self.switched_after
    }

    /// The time from the switch until the new backend first answered a call, once it has.
    #[must_use]
    pub fn served_after(&self) -> Option<Duration> {
        self.served_after
    }

    /// Whether the new backend answered, before it was left again; unknown until one or the other
    /// happens, and false at once if there is none.
    #[must_use]
    pub fn success(&self) -> Option<bool> {
        self.success
    }
}

/// One line for people: `sessions: eu → us after 12ms (timeout: no answer in time)`.
impl fmt::Display for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |name: &Option<Name>| name.clone().unwrap_or_else(|| Name::from("none"));
        let (from, to) = (name(&self.from), name(&self.to));
        let Self { failover, switched_after, trigger, reason, .. } = self;
        write!(f, "{failover}: {from} → {to} after {switched_after:?} ({trigger}: {reason})")
    }
}
