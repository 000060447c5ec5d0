//! Who else can do it? Several backends that behave as one service.

mod add_error;
mod backend;
mod backend_state;
mod bell;
mod build_error;
mod builder;
mod by;
mod by_hand;
mod catch_up;
mod choice;
mod control;
mod elapsed;
mod fail_over_error;
#[expect(clippy::module_inception, reason = "a file is named after its type")]
mod failover;
mod failure;
pub mod future;
mod job;
mod may_have_run;
mod members;
mod mode;
mod no_backend;
mod policy;
mod records;
mod repeat;
mod repeats;
mod seat;
mod status;
mod switchboard;
mod target;
mod tending;
mod text;
mod trip;
mod turn;
mod upkeep;
mod word;

pub use self::{
    add_error::AddError,
    backend::Backend,
    backend_state::BackendState,
    build_error::BuildError,
    builder::Builder,
    by::By,
    control::Control,
    elapsed::Elapsed,
    fail_over_error::FailOverError,
    failover::Failover,
    may_have_run::{MayHaveRun, may_have_run},
    mode::Mode,
    no_backend::NoBackend,
    policy::Policy,
    repeat::Repeat,
    repeats::Repeats,
    status::{BackendStatus, Status},
    upkeep::Upkeep,
};
use self::{catch_up::CatchUp, choice::Choice, target::Target};
pub use crate::{
    event::Switch,
    logic::{
        policy::PolicyError,
        roster::{Recovery, Trigger},
        score::Weights,
    },
};
