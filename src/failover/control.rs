use std::{fmt, sync::Arc, time::Duration};

use super::{FailOverError, Policy, Status, Switch, switchboard::Switchboard};
use crate::{event::text, logic::roster::Unfit};

/// Looks at a [`Failover`](super::Failover) and acts on it by hand, whatever its services are.
///
/// A cheap clone. It keeps the failover and its [`Upkeep`](super::Upkeep) alive, as its clones do: an
/// observer or a hook of the same failover that holds one does so for ever.
#[derive(Clone)]
pub struct Control {
    switchboard: Arc<Switchboard>,
}

impl Control {
    pub(super) const fn new(switchboard: Arc<Switchboard>) -> Self {
        Self { switchboard }
    }

    /// The name of the failover.
    #[must_use]
    pub fn name(&self) -> &str {
        self.switchboard.name.as_str()
    }

    /// The settings.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.switchboard.policy
    }

    /// Its backends and who of them serves.
    #[must_use]
    pub fn status(&self) -> Status {
        Status::of(&self.switchboard)
    }

    /// The last 64 switches, oldest first.
    #[must_use]
    pub fn history(&self) -> Vec<Switch> {
        self.switchboard.glance(|board| board.records.to_vec())
    }

    /// Makes this backend serve from now on, whatever its tier, for this long or until
    /// [`recover`](Self::recover). While it cannot, others do.
    ///
    /// One that has to be [brought up to date](super::Backend::catch_up) serves after that. The
    /// reason is kept in the history, cut after 256 bytes.
    ///
    /// # Errors
    ///
    /// If there is no such backend, it is unhealthy, or its circuit is open; then nothing has changed.
    pub fn fail_over(
        &self,
        to: &str,
        reason: &str,
        lasts_for: Option<Duration>,
    ) -> Result<(), FailOverError> {
        let why = text::of_words(reason);
        let done = self.switchboard.act(|turn| turn.fail_over(to, why, lasts_for));
        done.map_err(|unfit: Unfit| FailOverError::new(text::of_words(to), unfit))
    }

    /// Ends what [`fail_over`](Self::fail_over) said, and the waits of all backends that look fine:
    /// the best of them serves. The reason is kept in the history, cut after 256 bytes.
    pub fn recover(&self, reason: &str) {
        let why = text::of_words(reason);
        self.switchboard.act(|turn| turn.recover(why));
    }

    /// Removes a backend; calls that it has are not disturbed, and idle handles let go of it with their
    /// next call. Returns whether there was one of that name.
    pub fn remove(&self, name: &str) -> bool {
        // Its service is dropped here, without a lock.
        let removed = self.switchboard.act(|turn| turn.remove(name));
        removed.map(|target| target.retire()).is_some()
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Control").field(&self.switchboard).finish()
    }
}
