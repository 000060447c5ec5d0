//! Who is told? Every layer reports what it did as an [`Event`] to its [`Observer`]s.
//!
//! Observers are called outside every lock, after the new state is visible, in the order of the
//! changes of a circuit or a target. One that panics is passed over; one that calls back into what
//! told it harms nothing. Layers never log and never count: `Log` does the first over `tracing`
//! (feature `tracing`), [`History`] keeps the past.
//!
//! ```
//! use tower_failover::{
//!     circuit_breaker::{Circuit, Policy},
//!     event::{Event, History},
//! };
//!
//! let history = History::new(64);
//! let circuit = Circuit::builder("redis")
//!     .policy(Policy::consecutive(3))
//!     .observe(history.clone())
//!     .observe(|event: &Event<'_>| println!("{event}"))
//!     .build();
//! circuit.force_open();
//! assert_eq!(history.transitions().len(), 1);
//! ```

mod bulletin;
mod caught;
#[expect(clippy::module_inception, reason = "a file is named after its type")]
mod event;
mod health_change;
mod history;
#[cfg(feature = "tracing")]
mod log;
mod name;
mod observer;
mod reason;
mod switch;
pub(crate) mod text;
mod transition;

#[cfg(feature = "tracing")]
pub use self::log::Log;
pub(crate) use self::{bulletin::Bulletin, caught::caught, observer::Observers};
pub use self::{
    event::Event, health_change::HealthChange, history::History, name::Name, observer::Observer,
    reason::Reason, switch::Switch, transition::Transition,
};
pub use crate::logic::{Cause, State, health::Grade, roster::Trigger};
