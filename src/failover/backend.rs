use std::fmt;

use super::{CatchUp, catch_up};
use crate::{BoxError, circuit_breaker::Circuit, event::Name, health::Health, logic::roster::Rank};

/// One of the services of a [`Failover`](super::Failover), with what is known of it.
///
/// | setting | default |
/// |---|---|
/// | [`tier`](Self::tier) | 0, which is the best |
/// | [`weight`](Self::weight) | 1 |
/// | [`circuit`](Self::circuit) | none |
/// | [`health`](Self::health) | none: calls find out, and try whether it is back |
/// | [`catch_up`](Self::catch_up) | none |
///
/// All backends of a failover are of one type: [`BoxCloneService`](tower::util::BoxCloneService) is
/// one for all. A backend is cloned for each clone of the failover that calls it.
#[must_use = "a backend serves when a failover has it"]
pub struct Backend<S> {
    pub(super) name: Name,
    pub(super) service: S,
    pub(super) rank: Rank,
    pub(super) circuit: Option<Circuit>,
    pub(super) health: Option<Health>,
    pub(super) catch_up: Option<CatchUp>,
}

const DEFAULT_RANK: Rank = Rank { tier: 0, weight: 1 };

impl<S> Backend<S> {
    /// A backend of the best tier.
    pub fn new(name: impl Into<Name>, service: S) -> Self {
        Self {
            name: name.into(),
            service,
            rank: DEFAULT_RANK,
            circuit: None,
            health: None,
            catch_up: None,
        }
    }

    /// Backends of a higher tier serve only when none of a lower one can.
    pub fn tier(mut self, tier: u32) -> Self {
        self.rank.tier = tier;
        self
    }

    /// How much this one is preferred to others of its tier: a factor of its score, see
    /// [`Weights`](super::Weights).
    pub fn weight(mut self, weight: u32) -> Self {
        self.rank.weight = weight;
        self
    }

    /// Asks this circuit before each call, and tells it how the call ended. The service is not behind
    /// it already.
    pub fn circuit(self, circuit: Circuit) -> Self {
        Self { circuit: Some(circuit), ..self }
    }

    /// Calls nobody whom this health calls unhealthy. Its [`Monitor`](crate::health::Monitor) also
    /// tells when the backend is back; without a monitor calls try whether it is, also while the
    /// health calls it unhealthy, and tell the health how that went.
    pub fn health(self, health: Health) -> Self {
        Self { health: Some(health), ..self }
    }

    /// Brings the backend up to date before it serves again, after it was left.
    ///
    /// Runs in the [`Upkeep`](super::Upkeep), once per return; the backend serves when it ends well.
    /// When it fails, or panics, the backend stays out and the checks begin anew. It has no time limit
    /// of its own. A hook that holds a handle of the failover keeps it alive.
    pub fn catch_up<F, Fut>(self, hook: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        Self { catch_up: Some(catch_up::hook(hook)), ..self }
    }
}

#[cfg(feature = "retry")]
impl<S> Backend<S> {
    /// Leaves the backend only after it was tried again as `policy` says: puts tower's
    /// [`Retry`](tower::retry::Retry) before its service, whose errors become a [`BoxError`].
    ///
    /// All tries together are one attempt of the failover, and have its time. A policy such as
    /// [`Retries`](crate::fallback::Retries) repeats whatever failed, also what may have run.
    /// That one of the tries may have run is not forgotten when a later one is refused: the call then
    /// ends in [`MayHaveRun`](super::MayHaveRun), and moves only if it may always be repeated.
    pub fn after_retries<P>(self, policy: P) -> Backend<super::AfterRetries<P, S>> {
        let Self { name, service, rank, circuit, health, catch_up } = self;
        let service = super::AfterRetries::new(name.clone(), policy, service);
        Backend { name, service, rank, circuit, health, catch_up }
    }
}

impl<S> fmt::Debug for Backend<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend")
            .field("name", &self.name)
            .field("tier", &self.rank.tier)
            .field("weight", &self.rank.weight)
            .field("circuit", &self.circuit)
            .field("health", &self.health)
            .field("has_catch_up", &self.catch_up.is_some())
            .finish_non_exhaustive()
    }
}
