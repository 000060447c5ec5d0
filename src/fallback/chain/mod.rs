//! Strategies made of strategies: one after the other, within a budget, under a name.

mod combinators;
mod named;
mod or;
mod within;

pub(super) use self::combinators::combinators;
pub use self::{named::Named, or::Or, within::Within};
