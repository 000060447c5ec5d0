//! The promises of health: what is checked and when, what it means, and who hears of it.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests spawn openly, fail by panicking, and look at single events"
)]

mod averages;
mod bounds;
mod checks;
mod formulas;
mod listeners;
mod news;
mod probes;
mod reasons;
mod refusal;
mod reports;
mod settings;
mod signals;
mod support;
