use std::{sync::Arc, time::Duration};

use super::{
    BackendState, Target,
    switchboard::{Member, Switchboard},
};
use crate::{
    Ratio, clock,
    event::{Grade, Name, State},
    health::Health,
};

/// A failover at one moment.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Status {
    /// The failover.
    pub failover: Name,
    /// The backend that serves; none if none can.
    pub active: Option<Name>,
    /// All backends, in the order in which they were added.
    pub backends: Vec<BackendStatus>,
}

/// A backend at one moment.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct BackendStatus {
    /// The backend.
    pub name: Name,
    /// Its tier.
    pub tier: u32,
    /// Its weight.
    pub weight: u32,
    /// Whether it may serve.
    pub state: BackendState,
    /// What its health says, if it has one.
    pub grade: Option<Grade>,
    /// How its circuit stands, if it has one.
    pub circuit: Option<State>,
    /// How long its calls take on average, of late.
    pub latency: Option<Duration>,
    /// The share of its calls that succeeded, of late.
    pub success_rate: Option<Ratio>,
    /// What went wrong with it last; cut after 256 bytes.
    pub last_error: Option<Name>,
}

impl Status {
    /// Circuits are looked at without the lock, because they may tell their observers then.
    pub(super) fn of(switchboard: &Switchboard) -> Self {
        let now = clock::now();
        let (active, seen) = switchboard.glance(|board| {
            let seen = |member: &Member| {
                let standing = board.roster.standing(member.target.id);
                let state = standing.map(|standing| BackendState::of(standing, now));
                state.map(|state| (member.target.clone(), state, member.why.clone()))
            };
            (board.roster.active(), board.members.iter().filter_map(seen).collect::<Vec<_>>())
        });
        let is_active = |(target, ..): &&(Arc<Target>, _, _)| Some(target.id) == active;
        Self {
            failover: switchboard.name.clone(),
            active: seen.iter().find(is_active).map(|(target, ..)| target.name.clone()),
            backends: seen
                .into_iter()
                .map(|(target, state, last_error)| BackendStatus::of(&target, state, last_error))
                .collect(),
        }
    }
}

impl BackendStatus {
    fn of(target: &Target, state: BackendState, last_error: Option<Name>) -> Self {
        Self {
            name: target.name.clone(),
            tier: target.rank.tier,
            weight: target.rank.weight,
            state,
            grade: target.health.as_ref().map(Health::grade),
            circuit: target.circuit.as_ref().map(|circuit| circuit.state()),
            latency: target.latency().and_then(|it| Duration::try_from_secs_f64(it).ok()),
            success_rate: target.success_rate().and_then(|rate| Ratio::new(rate.clamp(0.0, 1.0))),
            last_error,
        }
    }
}
