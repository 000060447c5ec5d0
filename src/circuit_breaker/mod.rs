//! Refuses calls to a backend that keeps failing, and lets it come back by itself.

mod builder;
mod call;
mod circuit;
mod circuits;
mod keyed;
mod layer;
mod open;
mod permit;
mod slot;
mod snapshot;

pub use self::{
    builder::Builder,
    call::{Call, CallError},
    circuit::Circuit,
    circuits::Circuits,
    keyed::Keyed,
    layer::{CircuitBreaker, CircuitBreakerLayer},
    open::Open,
    permit::Permit,
    snapshot::{Share, Snapshot},
};
pub use crate::logic::{
    State,
    policy::{Cancelled, Policy, PolicyError, Rate, Window},
};
