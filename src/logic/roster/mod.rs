//! Who of several backends serves.
//!
//! A member is up, out, or being brought up to date. What befalls it is told by the methods of
//! [`Roster`]; [`Roster::settle`] then looks at everybody and decides who serves. It is to be
//! called after each of the others.

mod absence;
mod by_hand;
mod change;
mod choose;
mod look;
mod member;
mod ramp;
mod recovery;
#[expect(clippy::module_inception, reason = "a file is named after its type")]
mod roster;
mod rules;
mod settle;
mod standing;
mod trigger;
mod watch;

pub(crate) use self::{
    by_hand::Unfit,
    change::Change,
    look::Look,
    member::{MemberId, Rank},
    roster::Roster,
    rules::Rules,
    standing::Standing,
    watch::Due,
};
pub use self::{recovery::Recovery, trigger::Trigger};

#[cfg(all(test, not(tower_failover_loom)))]
mod tests;
