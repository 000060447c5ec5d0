use std::time::Duration;

use http::HeaderName;

use super::scope::Scope;

/// How pages are kept.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) scope: Scope,
    pub(super) body_limit: usize,
    pub(super) head_limit: usize,
    pub(super) fresh_for: Duration,
    pub(super) stale_for: Duration,
    pub(super) longest_fresh_for: Duration,
    pub(super) longest_stale_for: Duration,
    pub(super) tags_from: Option<HeaderName>,
    pub(super) vary_limit: usize,
}

impl Settings {
    pub(super) const DEFAULT: Self = Self {
        scope: Scope::Anonymous,
        body_limit: 256 << 10,
        head_limit: 32 << 10,
        fresh_for: Duration::ZERO,
        stale_for: Duration::from_secs(600),
        longest_fresh_for: Duration::from_secs(86_400),
        longest_stale_for: Duration::from_secs(86_400),
        tags_from: None,
        vary_limit: 4 << 20,
    };
}
