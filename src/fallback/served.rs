use super::{Failed, Source};
use crate::{BoxError, event::Name};

/// An answer and where it came from.
///
/// The response of a fallback whose layer was made with
/// [`served`](super::FallbackLayer::served), and what every strategy answers with.
///
/// ```
/// use tower_failover::fallback::{Served, Source};
///
/// let served = Served::new("offline", Source::Value);
/// assert!(served.is_fallback());
/// assert_eq!(served.map(str::len).into_inner(), 7);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served<T> {
    value: T,
    source: Source,
    name: Option<Name>,
}

impl<T> Served<T> {
    /// An answer from there.
    pub const fn new(value: T, source: Source) -> Self {
        Self { value, source, name: None }
    }

    /// The answer.
    pub const fn value(&self) -> &T {
        &self.value
    }

    /// The answer, without where it came from.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// Where it came from.
    pub const fn source(&self) -> Source {
        self.source
    }

    /// The strategy that answered: the name it was given, or its source in one word.
    pub fn strategy(&self) -> &str {
        self.name.as_ref().map_or(self.source.as_str(), Name::as_str)
    }

    /// Whether anything but the inner service answered.
    pub const fn is_fallback(&self) -> bool {
        !matches!(self.source, Source::Primary)
    }

    /// Another answer from the same source.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Served<U> {
        Served { value: f(self.value), source: self.source, name: self.name }
    }

    /// What a function of the user returned.
    pub(super) fn by_function(answer: Result<T, BoxError>) -> Result<Self, Failed> {
        match answer {
            Ok(value) => Ok(Self::new(value, Source::Function)),
            Err(error) => Err(Failed::new(Source::Function.as_str(), error)),
        }
    }

    pub(super) fn named(self, name: &Name) -> Self {
        Self { name: Some(name.clone()), ..self }
    }
}
