//! How a target is, by its checks.

mod grade;

pub use grade::Grade;
