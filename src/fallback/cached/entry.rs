use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use super::{Found, Terms};
use crate::{
    Backoff, Ratio,
    event::Name,
    logic::{Condition, Freshness, Moment},
};

/// A kept answer.
pub(crate) struct Entry<V> {
    pub(super) stored: V,
    pub(super) weight: u64,
    pub(super) began: Moment,
    /// Whoever asked before then may have had it from the call that brought it.
    answers_until: AtomicU64,
    pub(super) tags: Box<[Name]>,
    pub(super) negative: bool,
    loaded_at: Moment,
    age: Duration,
    freshness: Freshness,
    refresh: Refresh,
}

/// What is known of the attempts to replace an entry by a newer one.
#[derive(Default)]
struct Refresh {
    /// Zero if nobody has claimed it.
    claimed_until: AtomicU64,
    failures: AtomicU32,
    quiet_until: AtomicU64,
}

impl<V> Entry<V> {
    /// An answer that came now, of a call that began then.
    pub(super) fn new(
        stored: V,
        weight: u64,
        terms: Terms,
        freshness: Freshness,
        began: Moment,
        answers_until: Moment,
        loaded_at: Moment,
    ) -> Self {
        let Terms { age, tags, negative, .. } = terms;
        let tags = tags.into_boxed_slice();
        let refresh = Refresh::default();
        Self {
            stored,
            weight,
            began,
            answers_until: AtomicU64::new(answers_until.as_nanos()),
            tags,
            negative,
            loaded_at,
            age,
            freshness,
            refresh,
        }
    }

    pub(super) fn condition(&self, now: Moment) -> Condition {
        self.freshness.at(now)
    }

    pub(super) fn is_usable(&self, now: Moment) -> bool {
        now < self.freshness.stale_until()
    }

    /// A layer below answers by it now, as if it was the backend.
    pub(super) fn answers(&self, now: Moment) {
        self.answers_until.fetch_max(now.as_nanos(), Ordering::Relaxed);
    }

    /// Whether the answer to a call that began then may be this one.
    pub(super) fn may_answer(&self, began: Moment) -> bool {
        self.answers_until.load(Ordering::Relaxed) >= began.as_nanos()
    }

    /// Whether it came to its end since it came: not so if it was of no use to others from the first.
    pub(super) fn is_outlived(&self, now: Moment) -> bool {
        !self.is_usable(now) && self.is_usable(self.loaded_at)
    }

    pub(super) fn age(&self, now: Moment) -> Duration {
        (now - self.loaded_at).saturating_add(self.age)
    }

    pub(super) fn found(&self, now: Moment) -> Found<'_, V> {
        Found::new(&self.stored, self.age(now), self.condition(now) == Condition::Fresh)
    }

    /// Whether the caller is to see to a newer answer, because this part of the fresh time is over.
    /// True once, until the attempt has ended.
    pub(super) fn claim_refresh(&self, part: Ratio, now: Moment) -> bool {
        self.freshness.is_over(part, self.loaded_at, now)
            && self.left_alone_for(now).is_none()
            && self.claim(now)
    }

    /// A claim lapses after a while, since a layer in between may have kept the call from being made.
    fn claim(&self, now: Moment) -> bool {
        const FOR: Duration = Duration::from_secs(30);
        let claimed_until = &self.refresh.claimed_until;
        let held = claimed_until.load(Ordering::Relaxed);
        let until = (now + FOR).as_nanos();
        let (ok, failed) = (Ordering::Relaxed, Ordering::Relaxed);
        now.as_nanos() >= held && claimed_until.compare_exchange(held, until, ok, failed).is_ok()
    }

    /// Whether somebody has claimed to see to a newer answer.
    pub(super) fn is_claimed(&self) -> bool {
        self.refresh.claimed_until.load(Ordering::Relaxed) != 0
    }

    /// How long the source is to be left alone after it failed to give a newer answer.
    pub(super) fn left_alone_for(&self, now: Moment) -> Option<Duration> {
        let until = Moment::from_nanos(self.refresh.quiet_until.load(Ordering::Relaxed));
        (now < until).then(|| until - now)
    }

    /// A newer answer was not to be had. Returns how long to leave the source alone.
    pub(super) fn refresh_failed(&self, backoff: &Backoff, now: Moment, random: f64) -> Duration {
        let failures = self.refresh.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let wait = backoff.wait(failures, random);
        self.refresh.quiet_until.store((now + wait).as_nanos(), Ordering::Relaxed);
        self.refresh.claimed_until.store(0, Ordering::Relaxed);
        wait
    }

    /// The attempt to load a newer answer ended without a word about the source.
    pub(super) fn refresh_ended(&self) {
        self.refresh.claimed_until.store(0, Ordering::Relaxed);
    }
}
