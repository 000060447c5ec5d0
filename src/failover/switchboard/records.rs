use std::collections::VecDeque;

use super::word::Switches;
use crate::{event::Switch, logic::Moment};

/// The last switches, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Records {
    switches: VecDeque<Switch>,
    /// When the last of them was, as long as the new backend has neither answered nor been left.
    unconfirmed_since: Option<Moment>,
    /// How many there were.
    count: Switches,
}

/// So many are kept.
const MOST: usize = 64;

impl Records {
    /// Takes down a switch; the one before has come to nothing, if it is not confirmed by now.
    pub(crate) fn push(&mut self, switch: Switch, now: Moment) {
        self.end(false, None);
        self.unconfirmed_since = switch.to.is_some().then_some(now);
        if self.switches.len() == MOST {
            self.switches.pop_front();
        }
        self.switches.push_back(switch);
        self.count = self.count.next();
    }

    /// The backend that serves now has answered a call that began after so many switches.
    pub(crate) fn confirm(&mut self, after: Switches, now: Moment) {
        if after == self.count {
            self.end(true, Some(now));
        }
    }

    pub(crate) const fn count(&self) -> Switches {
        self.count
    }

    fn end(&mut self, success: bool, now: Option<Moment>) {
        if let Some(since) = self.unconfirmed_since.take()
            && let Some(last) = self.switches.back_mut()
        {
            last.success = Some(success);
            last.served_after = now.map(|now| now - since);
        }
    }

    pub(crate) fn is_unconfirmed(&self) -> bool {
        self.unconfirmed_since.is_some()
    }

    pub(crate) fn to_vec(&self) -> Vec<Switch> {
        self.switches.iter().cloned().collect()
    }
}
