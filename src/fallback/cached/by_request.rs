use std::{any::type_name, fmt, hash::Hash, marker::PhantomData};

use super::{Deposit, Found, Keeper, Query, Terms};

/// Keeps clones of responses, each under the [`Terms`] that a function of request and response
/// gives it.
///
/// Costs each call that has to be made a clone of its request.
pub struct ByRequest<F, G, Request, K, T> {
    key: F,
    judge: G,
    marker: PhantomData<fn(Request) -> (K, T)>,
}

impl<F, G, Request, K, T> ByRequest<F, G, Request, K, T> {
    /// Keeps what has a key and is given terms.
    pub const fn new(key: F, judge: G) -> Self {
        Self { key, judge, marker: PhantomData }
    }
}

impl<F, G, Request, K, T> Keeper for ByRequest<F, G, Request, K, T>
where
    G: Fn(&Request, &T) -> Option<Terms>,
    K: Clone + Eq + Hash,
    T: Clone,
{
    type Response = T;
    type Key = K;
    type Stored = T;
    type Note = Request;

    fn keep(&self, request: Request, response: &mut T, deposit: Deposit<K, T>) {
        match (self.judge)(&request, response) {
            Some(terms) => deposit.store(response.clone(), terms),
            None => deposit.refuse(),
        }
    }

    #[inline]
    fn restore(&self, found: Found<'_, T>) -> T {
        found.stored().clone()
    }
}

impl<F, G, Request, K, T> Query<Request> for ByRequest<F, G, Request, K, T>
where
    F: Fn(&Request) -> Option<K>,
    G: Fn(&Request, &T) -> Option<Terms>,
    Request: Clone,
    K: Clone + Eq + Hash,
    T: Clone,
{
    #[inline]
    fn key(&self, request: &Request) -> Option<K> {
        (self.key)(request)
    }

    fn note(&self, request: &Request) -> Request {
        request.clone()
    }
}

impl<F, G, Request, K, T> Clone for ByRequest<F, G, Request, K, T>
where
    F: Clone,
    G: Clone,
{
    fn clone(&self) -> Self {
        Self::new(self.key.clone(), self.judge.clone())
    }
}

impl<F, G, Request, K, T> fmt::Debug for ByRequest<F, G, Request, K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByRequest")
            .field("key", &format_args!("{}", type_name::<F>()))
            .field("judge", &format_args!("{}", type_name::<G>()))
            .finish()
    }
}
