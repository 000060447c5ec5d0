use std::time::Duration;

use crate::{
    Ratio,
    event::Name,
    logic::{Freshness, Moment},
};

/// Under which terms an answer is kept: two limits, and what it is known by.
///
/// An answer is *fresh* for [`fresh_for`](Self::fresh_for), then *stale* for
/// [`stale_for`](Self::stale_for), then gone, whatever the backend does. Both count from the moment
/// the answer came, less the [age](Self::age) it had then.
///
/// | setting | default |
/// |---|---|
/// | fresh for | 60 s |
/// | stale for | 10 min |
/// | jitter | 10 % |
/// | age | 0 |
/// | tags | none |
/// | negative | no |
///
/// ```
/// use std::time::Duration;
/// use tower_failover::fallback::cached::Terms;
///
/// let terms = Terms::new()
///     .fresh_for(Duration::from_secs(5))
///     .stale_for(Duration::from_secs(3600))
///     .tag("user:7");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Terms {
    pub(super) fresh_for: Duration,
    pub(super) stale_for: Duration,
    pub(super) jitter: Ratio,
    pub(super) age: Duration,
    pub(super) tags: Vec<Name>,
    pub(super) negative: bool,
}

impl Terms {
    /// The defaults.
    pub const fn new() -> Self {
        Self {
            fresh_for: Duration::from_secs(60),
            stale_for: Duration::from_secs(600),
            jitter: Ratio::percent(10),
            age: Duration::ZERO,
            tags: Vec::new(),
            negative: false,
        }
    }

    /// Answers for this long without a call.
    pub const fn fresh_for(mut self, fresh_for: Duration) -> Self {
        self.fresh_for = fresh_for;
        self
    }

    /// Answers failed calls for this long after it stopped to be fresh; zero for never.
    pub const fn stale_for(mut self, stale_for: Duration) -> Self {
        self.stale_for = stale_for;
        self
    }

    /// Takes away up to this share of both limits, at random, so that what was loaded together is
    /// not loaded again together.
    pub const fn jitter(mut self, jitter: Ratio) -> Self {
        self.jitter = jitter;
        self
    }

    /// How old the answer already was when it came, as the HTTP header `Age` tells.
    pub const fn age(mut self, age: Duration) -> Self {
        self.age = age;
        self
    }

    /// Adds a tag, by which [`Cache::invalidate_tag`](super::Cache::invalidate_tag) finds it.
    pub fn tag(mut self, tag: impl Into<Name>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Says that there is nothing: never kept in place of an answer that is still usable.
    pub const fn negative(mut self) -> Self {
        self.negative = true;
        self
    }

    pub(super) fn freshness(&self, loaded_at: Moment, random: f64) -> Freshness {
        Freshness::new(loaded_at, self.age, self.fresh_for, self.stale_for, self.jitter, random)
    }
}

impl Default for Terms {
    fn default() -> Self {
        Self::new()
    }
}
