use std::time::Duration;

use super::Policy;
use crate::logic::{Moment, Ratio};

/// When a monitor checks: what it has done, and what is asked of it.
#[derive(Debug)]
pub(super) struct Rounds {
    /// Somebody does the checks.
    pub(super) is_monitored: bool,
    /// The number of the last check that has ended.
    ended: u64,
    /// A check is under way.
    is_running: bool,
    /// Checks up to this number are wanted without waiting.
    asked: u64,
    /// When the last check began.
    began: Option<Moment>,
    /// What is taken off the interval after it, as a share of the jitter.
    random: f64,
}

impl Rounds {
    pub(super) const fn new(is_monitored: bool) -> Self {
        Self { is_monitored, ended: 0, is_running: false, asked: 0, began: None, random: 0.0 }
    }

    /// Asks for a check that begins from now on, and returns its number.
    pub(super) fn ask(&mut self) -> u64 {
        let number = self.ended + if self.is_running { 2 } else { 1 };
        self.asked = self.asked.max(number);
        number
    }

    /// Whether nobody needs to wait for this check any more.
    pub(super) const fn is_over(&self, number: u64) -> bool {
        self.ended >= number || !self.is_monitored
    }

    pub(super) fn begin(&mut self, now: Moment, random: f64) {
        self.is_running = true;
        self.began = Some(now);
        self.random = random;
    }

    pub(super) fn end(&mut self) {
        self.is_running = false;
        self.ended += 1;
    }

    /// The monitor is gone.
    pub(super) fn abandon(&mut self) {
        self.is_running = false;
        self.is_monitored = false;
    }

    /// How long until the next check begins; zero while one runs.
    pub(super) fn wait(&self, policy: &Policy, now: Moment) -> Duration {
        match self.began {
            Some(began) if !self.is_running && self.asked <= self.ended => {
                began + shortened(policy, self.random) - now
            }
            Some(_) | None => Duration::ZERO,
        }
    }
}

/// The shortest interval there can be.
pub(super) fn shortest(policy: &Policy) -> Duration {
    shortened(policy, 1.0)
}

fn shortened(policy: &Policy, random: f64) -> Duration {
    let Policy { interval, jitter, .. } = policy;
    interval.mul_f64(1.0 - Ratio::get(*jitter) * random)
}
