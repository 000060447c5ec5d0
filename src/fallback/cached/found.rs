use std::{fmt, time::Duration};

/// What a cache holds for a request, to be judged by its [`Keeper`](super::Keeper).
pub struct Found<'a, V> {
    stored: &'a V,
    age: Duration,
    is_fresh: bool,
}

impl<'a, V> Found<'a, V> {
    pub(super) const fn new(stored: &'a V, age: Duration, is_fresh: bool) -> Self {
        Self { stored, age, is_fresh }
    }

    /// The answer as it is kept.
    #[must_use]
    pub const fn stored(&self) -> &'a V {
        self.stored
    }

    /// How old it is, with the age it had when it came.
    #[must_use]
    pub const fn age(&self) -> Duration {
        self.age
    }

    /// Whether it is fresh; else it is stale, and answers only because the backend does not.
    #[must_use]
    pub const fn is_fresh(&self) -> bool {
        self.is_fresh
    }
}

impl<V> Clone for Found<'_, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Found<'_, V> {}

impl<V> fmt::Debug for Found<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found")
            .field("age", &self.age)
            .field("is_fresh", &self.is_fresh)
            .finish_non_exhaustive()
    }
}
