//! How good a backend looks: averages that fade with time, and what they add up to.

mod fading;
mod weights;

pub(crate) use fading::Fading;
pub use weights::Weights;
