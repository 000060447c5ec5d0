use std::time::Duration;

use crate::{Backoff, Ratio};

/// How long callers wait, and how long a source is left alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waits {
    pub(super) soft: Option<Duration>,
    pub(super) hard: Duration,
    pub(super) load: Duration,
    pub(super) body: Duration,
    pub(super) after_failure: Backoff,
    /// How long requests go their own way after an answer that was for one caller only.
    pub(super) apart: Duration,
}

impl Waits {
    pub(super) const DEFAULT: Self = Self {
        soft: Some(Duration::from_secs(1)),
        hard: Duration::from_secs(10),
        load: Duration::from_secs(30),
        body: Duration::from_secs(1),
        after_failure: Backoff::growing(Duration::from_secs(1), Duration::from_secs(30))
            .jitter(Ratio::percent(50)),
        apart: Duration::from_secs(5),
    };
}
