//! Who of several backends serves.

mod trigger;

pub use trigger::Trigger;
