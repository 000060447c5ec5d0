//! Turns refusals into responses.

#[expect(clippy::module_inception, reason = "a file is named after its type")]
mod answer;
pub mod future;
mod layer;
mod or_empty;
mod refusal;
mod service;

pub use self::{
    answer::{Answer, Everything, RefusalsOnly},
    layer::AnswerRefusalsLayer,
    or_empty::OrEmpty,
    refusal::{handle_error, refusal},
    service::AnswerRefusals,
};
