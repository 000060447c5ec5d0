//! May it go, by what its checks say? A target is probed on its own schedule.

mod builder;
mod check;
#[expect(clippy::module_inception, reason = "a file is named after its type")]
mod health;
pub mod hold;
mod layer;
mod monitor;
mod post;
mod probe;
mod report;
mod round;
mod rounds;
mod service_probe;
mod shared;
mod sign;
mod signals;
mod snapshot;
mod unhealthy;

pub use self::{
    builder::{Builder, NoProbes, Probes},
    check::Check,
    health::Health,
    layer::{HealthGate, HealthGateLayer},
    monitor::Monitor,
    probe::{Checking, Probe},
    service_probe::ServiceProbe,
    signals::Signals,
    snapshot::Snapshot,
    unhealthy::Unhealthy,
};
pub use crate::{
    event::HealthChange,
    logic::{
        health::{Grade, Policy, Quorum, WhileUnknown},
        policy::PolicyError,
    },
};
