//! An origin that counts, and the stack that is tested.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use tower::{Layer, Service, ServiceExt, service_fn};
use tower_failover::{
    BoxError, Ratio,
    fallback::{
        FallbackLayer, Served,
        cached::{ByKey, Cache, Cached, CoalesceLayer, Terms},
    },
};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MILLI: Duration = Duration::from_millis(1);

/// Fresh for 10 s, then stale for 100 s.
pub(crate) fn terms() -> Terms {
    Terms::new().fresh_for(10 * SECOND).stale_for(100 * SECOND).jitter(Ratio::percent(0))
}

/// What an origin saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts(Arc<[AtomicUsize; 4]>);

impl Counts {
    /// The calls that were made.
    pub(crate) fn calls(&self) -> usize {
        self.0[0].load(SeqCst)
    }

    /// Those that are neither done nor dropped.
    pub(crate) fn running(&self) -> usize {
        self.0[1].load(SeqCst)
    }

    /// The most that ran at the same time.
    pub(crate) fn most(&self) -> usize {
        self.0[2].load(SeqCst)
    }

    /// Those that were dropped before they were done.
    pub(crate) fn dropped(&self) -> usize {
        self.0[3].load(SeqCst)
    }

    pub(crate) fn begin(&self) -> Running {
        let call = self.0[0].fetch_add(1, SeqCst) + 1;
        let running = self.0[1].fetch_add(1, SeqCst) + 1;
        self.0[2].fetch_max(running, SeqCst);
        Running { counts: self.clone(), call, is_done: false }
    }
}

/// A call at work.
pub(crate) struct Running {
    counts: Counts,
    pub(crate) call: usize,
    is_done: bool,
}

impl Running {
    pub(crate) fn done(mut self) {
        self.is_done = true;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.counts.0[1].fetch_sub(1, SeqCst);
        self.counts.0[3].fetch_add(usize::from(!self.is_done), SeqCst);
    }
}

/// An origin that answers a call, by its number from 1 on, as told.
pub(crate) fn origin<R, T, Fut, F>(
    counts: &Counts,
    answer: F,
) -> impl Service<R, Response = T, Error = BoxError, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static
+ use<R, T, Fut, F>
where
    F: Fn(usize, R) -> Fut + Clone + Send + Sync + 'static,
    R: 'static,
    T: 'static,
    Fut: Future<Output = Result<T, BoxError>> + Send + 'static,
{
    let counts = counts.clone();
    service_fn(move |request| {
        let running = counts.begin();
        let answer = answer(running.call, request);
        async move {
            let result = answer.await;
            running.done();
            result
        }
    })
}

/// Answers with the number of the call, after a second.
pub(crate) fn slow(
    counts: &Counts,
) -> impl Service<u64, Response = usize, Error = BoxError, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static
+ use<> {
    origin(counts, |call, _: u64| async move {
        tokio::time::sleep(SECOND).await;
        Ok(call)
    })
}

pub(crate) type ByNumber = Cached<ByKey<fn(&u64) -> Option<u64>, u64, usize>>;

/// Keeps the answer to each number under the usual terms.
pub(crate) fn by_number(cache: &Cache<u64, usize>) -> ByNumber {
    let key: fn(&u64) -> Option<u64> = |request| Some(*request);
    Cached::new(cache.clone(), key).terms(terms())
}

/// A cache whose upkeep runs.
pub(crate) fn cache<T: Send + Sync + 'static>() -> Cache<u64, T> {
    Cache::builder("test").spawn()
}

pub(crate) trait Stack<R, T>:
    Service<R, Response = Served<T>, Error = BoxError, Future: Send> + Clone + Send + Sync + 'static
{
}

impl<R, T, S> Stack<R, T> for S where
    S: Service<R, Response = Served<T>, Error = BoxError, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// The usual stack: the fallback, one call for all, the origin.
pub(crate) fn stack<S>(
    cached: &ByNumber,
    layer: CoalesceLayer<Layered>,
    inner: S,
) -> impl Stack<u64, usize> + use<S>
where
    S: Service<u64, Response = usize, Error = BoxError, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
{
    FallbackLayer::new(cached.clone()).served().layer(layer.layer(inner))
}

pub(crate) type Layered = ByKey<fn(&u64) -> Option<u64>, u64, usize>;

/// Asks once, with a service of its own.
pub(crate) async fn ask<R, T>(stack: &impl Stack<R, T>, request: R) -> Result<Served<T>, BoxError> {
    stack.clone().oneshot(request).await
}
