use std::{any::type_name, fmt, hash::Hash, marker::PhantomData, sync::Arc};

use super::{ByRequest, Deposit, Found, Keeper, Query, Terms};

/// Keeps clones of responses, all under the same [`Terms`], by a key that a function takes from the
/// request.
pub struct ByKey<F, K, T> {
    key: F,
    /// Shared, so that a clone costs the same whatever tags they have.
    terms: Arc<Terms>,
    marker: PhantomData<fn() -> (K, T)>,
}

impl<F, K, T> ByKey<F, K, T> {
    /// Keeps what has a key by it, under these terms.
    pub fn new(key: F, terms: Terms) -> Self {
        Self { key, terms: Arc::new(terms), marker: PhantomData }
    }

    pub(super) fn with_terms(self, terms: Terms) -> Self {
        Self { terms: Arc::new(terms), ..self }
    }

    pub(super) fn with_terms_by<G, Request>(self, judge: G) -> ByRequest<F, G, Request, K, T> {
        ByRequest::new(self.key, judge)
    }
}

impl<F, K, T> Keeper for ByKey<F, K, T>
where
    K: Clone + Eq + Hash,
    T: Clone,
{
    type Response = T;
    type Key = K;
    type Stored = T;
    type Note = ();

    fn keep(&self, (): (), response: &mut T, deposit: Deposit<K, T>) {
        deposit.store(response.clone(), Terms::clone(&self.terms));
    }

    #[inline]
    fn restore(&self, found: Found<'_, T>) -> T {
        found.stored().clone()
    }
}

impl<F, K, T, Request> Query<Request> for ByKey<F, K, T>
where
    F: Fn(&Request) -> Option<K>,
    K: Clone + Eq + Hash,
    T: Clone,
{
    #[inline]
    fn key(&self, request: &Request) -> Option<K> {
        (self.key)(request)
    }

    #[inline]
    fn note(&self, _: &Request) {}
}

impl<F, K, T> Clone for ByKey<F, K, T>
where
    F: Clone,
{
    fn clone(&self) -> Self {
        Self { key: self.key.clone(), terms: self.terms.clone(), marker: PhantomData }
    }
}

impl<F, K, T> fmt::Debug for ByKey<F, K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByKey")
            .field("key", &format_args!("{}", type_name::<F>()))
            .field("terms", &self.terms)
            .finish()
    }
}
