//! A keeper whose rules a test can change.

use std::sync::Arc;

use futures::future::BoxFuture;
use tower::{Layer, Service};
use tower_failover::{
    BoxError,
    fallback::{
        FallbackLayer,
        cached::{Cache, Cached, CoalesceLayer, Deposit, Found, Keeper, Query},
    },
};

use super::support::{Stack, terms};

/// Who asks for what.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ask {
    pub(crate) key: u64,
    pub(crate) who: u64,
}

/// The number of the call, and who asked.
pub(crate) type Answer = (usize, u64);

type Rule<I, O> = Arc<dyn Fn(I) -> O + Send + Sync>;

/// Keeps everything for everybody, unless told otherwise.
#[derive(Clone)]
pub(crate) struct House {
    pub(crate) keep: Rule<(Ask, Answer, Deposit<u64, Answer>), ()>,
    pub(crate) restore: Rule<Answer, Answer>,
    pub(crate) permits: Rule<(Ask, Answer), bool>,
    pub(crate) admits: Rule<(Ask, Answer), bool>,
    pub(crate) shares_errors: Rule<Ask, bool>,
    pub(crate) finish: Rule<Answer, BoxFuture<'static, ()>>,
}

impl House {
    pub(crate) fn new() -> Self {
        Self {
            keep: Arc::new(|(_, answer, deposit)| deposit.store(answer, terms())),
            restore: Arc::new(|answer| answer),
            permits: Arc::new(|_| true),
            admits: Arc::new(|_| true),
            shares_errors: Arc::new(|_| true),
            finish: Arc::new(|_| Box::pin(async {})),
        }
    }
}

impl Keeper for House {
    type Response = Answer;
    type Key = u64;
    type Stored = Answer;
    type Note = Ask;

    fn keep(&self, note: Ask, response: &mut Answer, deposit: Deposit<u64, Answer>) {
        (self.keep)((note, *response, deposit));
    }

    fn restore(&self, found: Found<'_, Answer>) -> Answer {
        (self.restore)(*found.stored())
    }

    fn permits(&self, note: &Ask, found: Found<'_, Answer>) -> bool {
        (self.permits)((*note, *found.stored()))
    }

    fn shares_errors(&self, note: &Ask) -> bool {
        (self.shares_errors)(*note)
    }

    fn finish(&self, response: Answer) -> impl Future<Output = ()> + Send + 'static {
        (self.finish)(response)
    }
}

impl Query<Ask> for House {
    fn key(&self, request: &Ask) -> Option<u64> {
        Some(request.key)
    }

    fn note(&self, request: &Ask) -> Ask {
        *request
    }

    fn admits(&self, request: &Ask, found: Found<'_, Answer>) -> bool {
        (self.admits)((*request, *found.stored()))
    }
}

pub(crate) fn housed<S>(
    cache: &Cache<u64, Answer>,
    house: House,
    set: impl FnOnce(CoalesceLayer<House>) -> CoalesceLayer<House>,
    inner: S,
) -> impl Stack<Ask, Answer>
where
    S: Service<Ask, Response = Answer, Error = BoxError, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
{
    let cached = Cached::with(cache.clone(), house);
    let layer = set(CoalesceLayer::new(cached.clone()));
    FallbackLayer::new(cached).served().layer(layer.layer(inner))
}
