use std::{
    fmt,
    sync::{Arc, Weak},
};

use super::{Health, shared::Shared};
use crate::event::{Cause, Event, Observer, State, text};

/// An observer that passes on to a [`Health`] what others see of its target.
///
/// | event | counts as |
/// |---|---|
/// | a circuit opens | [`Health::down`] |
/// | a connection is lost, or cannot be made | [`Health::down`] |
/// | a circuit closes by itself | [`Health::up`] |
/// | a connection is made | [`Health::up`] |
///
/// That a hand forces, releases or resets a circuit, or what one that is metrics-only would have done, says nothing of
/// the target.
///
/// Without a monitor nothing looks at a target that is down. What a circuit called down is then
/// refused for as long as the circuit is open, and no longer: the next call passes to the circuit,
/// as its probe. What a connection called down is refused until it is connected again.
///
/// It does not keep the target alive: a monitor ends with the last [`Health`], whatever observes.
#[derive(Clone)]
pub struct Signals(Weak<Shared>);

impl Signals {
    pub(super) fn of(shared: &Arc<Shared>) -> Self {
        Self(Arc::downgrade(shared))
    }

    fn pass_on(&self, health: &Health, event: &Event<'_>) {
        match event {
            Event::Transition(transition) if transition.is_metrics_only() => {}
            Event::Transition(transition) => match transition.to() {
                State::Open => {
                    let reason = format_args!("circuit {} is open", transition.circuit());
                    health.down_for(text::of_words(&reason), transition.lasts_for());
                }
                State::Closed if is_by_hand(transition.cause()) => {}
                State::Closed => health.up(),
                State::HalfOpen | State::ForcedOpen | State::ForcedClosed | State::MetricsOnly => {}
            },
            Event::Disconnected { error, .. } => health.down(text::of_error(*error)),
            Event::Connected { .. } => health.up(),
            Event::Health(_)
            | Event::Switched(_)
            | Event::Refused { .. }
            | Event::FellBack { .. }
            | Event::FallbackFailed { .. }
            | Event::RefreshFailed { .. } => {}
        }
    }
}

/// Who does so need not have looked at the target.
fn is_by_hand(cause: Cause) -> bool {
    matches!(cause, Cause::Released | Cause::Reset)
}

impl Observer for Signals {
    fn on_event(&self, event: &Event<'_>) {
        if let Some(health) = self.0.upgrade().map(Health::of) {
            self.pass_on(&health, event);
        }
    }

    fn wants_refusals(&self) -> bool {
        false
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let health = self.0.upgrade();
        f.debug_tuple("Signals").field(&health.as_ref().map(|shared| &shared.name)).finish()
    }
}
