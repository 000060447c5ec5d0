//! One call for all who want the same answer at the same time.

mod desk;
mod failed_response;
mod first;
pub mod future;
mod layer;
mod left_alone;
mod load;
mod next;
mod service;
mod shareable;
mod shared_error;
mod start;
mod table;
mod ticket;
mod waits;

pub use self::{
    failed_response::FailedResponse, layer::CoalesceLayer, left_alone::LeftAlone,
    service::Coalesce, shareable::Shareable, shared_error::SharedError,
};
