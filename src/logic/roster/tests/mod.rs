#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks at some of the steps")]

mod by_hand;
mod catching_up;
mod choosing;
mod history;
mod invariants;
mod leaving;
mod model;
mod returning;
mod steps;
mod watching;
mod world;
