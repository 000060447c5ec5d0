//! What a circuit is told: when to trip, how long to stay open, how to come back.

mod cancelled;
mod error;
#[expect(clippy::module_inception, reason = "a file is named after its type")]
mod policy;
mod rate;

pub use self::{
    cancelled::Cancelled,
    error::PolicyError,
    policy::Policy,
    rate::{Rate, Window},
};

#[cfg(test)]
mod tests;
