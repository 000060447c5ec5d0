use std::time::Duration;

use crate::event::Name;
use crate::fallback::{Served, Source};

/// Says that a response is not what the origin has just answered: an extension of the response.
///
/// Every page from a cache has one; other answers of a fallback, if an
/// [`AnnotateLayer`](super::AnnotateLayer) stands above it.
///
/// ```
/// use tower_failover::http::cached::Staleness;
///
/// fn banner<B>(response: &http::Response<B>) -> Option<String> {
///     let staleness = response.extensions().get::<Staleness>().filter(|it| it.is_stale())?;
///     Some(format!("as it was {} s ago", staleness.age()?.as_secs()))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staleness {
    source: Source,
    strategy: Option<Name>,
    fresh_for: Option<Duration>,
}

impl Staleness {
    pub(super) fn kept(is_fresh: bool, age: Duration, fresh_for: Duration) -> Self {
        let source = if is_fresh { Source::Cache { age } } else { Source::Stale { age } };
        Self { source, strategy: None, fresh_for: Some(fresh_for) }
    }

    /// What a strategy answered; `below` is what it has been marked with already.
    pub(super) fn served<T>(served: &Served<T>, below: Option<&Self>) -> Self {
        let (source, strategy) = (served.source(), served.strategy());
        let strategy = (strategy != source.as_str()).then(|| Name::from(String::from(strategy)));
        Self { source, strategy, fresh_for: below.and_then(|below| below.fresh_for) }
    }

    /// Where the response came from.
    #[must_use]
    pub const fn source(&self) -> Source {
        self.source
    }

    /// The strategy that answered: the name it was given, or its source in one word.
    #[must_use]
    pub fn strategy(&self) -> &str {
        self.strategy.as_ref().map_or(self.source.as_str(), Name::as_str)
    }

    /// Whether it comes from a cache, and is as good as one that the origin has just given.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        matches!(self.source, Source::Cache { .. })
    }

    /// Whether it comes from a cache, and answers only because the origin does not.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        matches!(self.source, Source::Stale { .. })
    }

    /// The time since the origin gave it; `None` if it does not come from a cache.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        match self.source {
            Source::Cache { age } | Source::Stale { age } => Some(age),
            Source::Primary
            | Source::Value
            | Source::Function
            | Source::Backup
            | Source::Custom(_) => None,
        }
    }

    /// How many seconds longer it is fresh; negative if it is stale.
    pub(super) fn ttl(&self) -> Option<i64> {
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        Some(seconds(self.fresh_for?) - seconds(self.age()?))
    }
}
