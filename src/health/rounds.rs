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
    /// Checks up to this number are wanted an eighth of an interval apart.
    soon: u64,
    /// The check under way began before bad news.
    is_doubted: bool,
    /// When the last check began.
    began: Option<Moment>,
    /// What is taken off the interval after it, as a share of the jitter.
    random: f64,
}

impl Rounds {
    pub(super) const fn new(is_monitored: bool) -> Self {
        Self {
            is_monitored,
            ended: 0,
            is_running: false,
            asked: 0,
            soon: 0,
            is_doubted: false,
            began: None,
            random: 0.0,
        }
    }

    /// Asks for a check that begins from now on, and returns its number.
    pub(super) fn ask(&mut self) -> u64 {
        let number = self.next();
        self.asked = self.asked.max(number);
        number
    }

    /// Asks for so many checks soon. The first is made at once, unless one is under way: it may be
    /// that one which asks.
    pub(super) fn ask_soon(&mut self, checks: u32) {
        let first = self.next();
        if !self.is_running {
            self.asked = self.asked.max(first);
        }
        self.soon = self.soon.max(first + u64::from(checks) - 1);
    }

    /// The number of the next check to begin.
    const fn next(&self) -> u64 {
        self.ended + if self.is_running { 2 } else { 1 }
    }

    /// What the check under way finds to be good says nothing any more.
    pub(super) const fn doubt(&mut self) {
        self.is_doubted = self.is_running;
    }

    pub(super) const fn is_doubted(&self) -> bool {
        self.is_doubted
    }

    /// Whether nobody needs to wait for this check any more.
    pub(super) const fn is_over(&self, number: u64) -> bool {
        self.ended >= number || !self.is_monitored
    }

    pub(super) fn begin(&mut self, now: Moment, random: f64) {
        self.is_running = true;
        self.is_doubted = false;
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
                let is_soon = self.soon > self.ended;
                let apart = if is_soon { soon(policy) } else { shortened(policy, self.random) };
                began + apart - now
            }
            Some(_) | None => Duration::ZERO,
        }
    }

    /// The shortest time that so many checks take after the next one, or the one under way.
    pub(super) fn rest(&self, policy: &Policy, checks: u32) -> Duration {
        let wanted = self.soon.saturating_sub(self.ended + 1);
        let quick = u32::try_from(wanted).unwrap_or(checks).min(checks);
        let usual = shortened(policy, 1.0).saturating_mul(checks - quick);
        soon(policy).saturating_mul(quick).saturating_add(usual)
    }
}

/// The time between checks that are wanted soon. The jitter takes off no more than half.
fn soon(policy: &Policy) -> Duration {
    policy.interval / 8
}

fn shortened(policy: &Policy, random: f64) -> Duration {
    let Policy { interval, jitter, .. } = policy;
    interval.mul_f64(1.0 - Ratio::get(*jitter) * random)
}
