//! How a target is, by its checks.

mod average;
mod grade;
mod policy;
mod quorum;
mod recent;
mod vitals;
mod while_unknown;

pub use self::{grade::Grade, policy::Policy, quorum::Quorum, while_unknown::WhileUnknown};
pub(crate) use vitals::{Complaint, Vitals};
