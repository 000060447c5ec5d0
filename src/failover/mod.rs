//! Who else can do it? Several backends that behave as one service.

pub use crate::{
    event::Switch,
    logic::{
        roster::{Recovery, Trigger},
        score::Weights,
    },
};
