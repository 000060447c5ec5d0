//! May it go, by what its checks say? A target is probed on its own schedule.

pub use crate::{event::HealthChange, logic::health::Grade};
