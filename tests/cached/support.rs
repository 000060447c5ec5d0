use std::{
    future::{Future, Ready, poll_fn, ready},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio_test::{assert_ready_ok, task};
use tower::{BoxError, Layer, Service, ServiceExt};
use tower_failover::{
    Outcome, Ratio,
    fallback::{
        FallbackLayer, Plan, Served, Source, Strategy,
        cached::{Cache, Terms},
    },
};
use tower_test::mock::{self, Mock, SendResponse};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const NANO: Duration = Duration::from_nanos(1);

pub(crate) type Names = Cache<&'static str, &'static str>;
pub(crate) type Backend = mock::Handle<&'static str, &'static str>;

/// A cache without its upkeep: nothing happens but what a test does.
pub(crate) fn cache() -> Names {
    Cache::builder("names").build().0
}

/// Exactly ten seconds fresh, then five stale.
pub(crate) fn terms() -> Terms {
    Terms::new().fresh_for(10 * SECOND).stale_for(5 * SECOND).jitter(Ratio::percent(0))
}

pub(crate) fn by_name(request: &&'static str) -> Option<&'static str> {
    Some(*request)
}

pub(crate) const fn fresh(age: Duration) -> Source {
    Source::Cache { age }
}

pub(crate) const fn stale(age: Duration) -> Source {
    Source::Stale { age }
}

/// An error that is no boxed one and cannot be cloned.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    Down,
    CallersOwn,
    SaysNothing,
}

pub(crate) fn classify<T>(result: &Result<T, Trouble>) -> Outcome {
    match result {
        Ok(_) | Err(Trouble::CallersOwn) => Outcome::Success,
        Err(Trouble::Down) => Outcome::Failure,
        Err(Trouble::SaysNothing) => Outcome::Ignored,
    }
}

type Says = fn() -> Result<&'static str, Trouble>;

/// A backend that says what it is told to and counts its calls.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    says: Arc<Mutex<Says>>,
    calls: Arc<AtomicUsize>,
}

impl Origin {
    pub(crate) fn saying(says: Says) -> Self {
        Self { says: Arc::new(Mutex::new(says)), calls: Arc::default() }
    }

    pub(crate) fn says(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }

    pub(crate) fn goes_down(&self) {
        self.says(|| Err(Trouble::Down));
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// This backend behind a fallback that says where its answers come from.
    pub(crate) fn behind<F>(
        &self,
        strategy: F,
    ) -> impl Service<&'static str, Response = Served<&'static str>, Error = Trouble> + Clone + use<F>
    where
        F: Strategy<&'static str> + Clone,
        F::Plan: Plan<&'static str, Trouble>,
    {
        FallbackLayer::new(strategy).classify(classify).served().layer(self.clone())
    }
}

impl Service<&'static str> for Origin {
    type Response = &'static str;
    type Error = Trouble;
    type Future = Ready<Result<&'static str, Trouble>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Trouble>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: &'static str) -> Self::Future {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let says = *self.says.lock().unwrap();
        ready(says())
    }
}

pub(crate) async fn ask<S>(service: &S, request: &'static str) -> Result<S::Response, S::Error>
where
    S: Service<&'static str> + Clone,
{
    service.clone().oneshot(request).await
}

/// What was answered and where it came from.
pub(crate) async fn told<S>(service: &S, request: &'static str) -> (&'static str, Source)
where
    S: Service<&'static str, Response = Served<&'static str>, Error = Trouble> + Clone,
{
    let served = ask(service, request).await.unwrap();
    (*served.value(), served.source())
}

/// A backend whose answers a test gives one by one, behind a fallback.
pub(crate) fn by_hand<F>(
    strategy: F,
) -> (
    impl Service<
        &'static str,
        Response = Served<&'static str>,
        Error = BoxError,
        Future: Send + 'static,
    >,
    Backend,
)
where
    F: Strategy<&'static str> + Clone,
    F::Plan: Plan<&'static str, BoxError> + Send + 'static,
{
    let (inner, backend): (Mock<&'static str, &'static str>, _) = mock::pair();
    (FallbackLayer::new(strategy).served().layer(inner), backend)
}

/// Begins a call, up to the point where its backend has the request.
pub(crate) async fn begin<S>(
    service: &mut S,
    backend: &mut Backend,
    request: &'static str,
) -> (task::Spawn<S::Future>, SendResponse<&'static str>)
where
    S: Service<&'static str, Response = Served<&'static str>, Error = BoxError>,
    S::Future: Future<Output = Result<Served<&'static str>, BoxError>>,
{
    backend.allow(1);
    assert_ready_ok!(task::spawn(poll_fn(|cx| service.poll_ready(cx))).poll());
    let mut call = task::spawn(service.call(request));
    assert!(call.poll().is_pending(), "answered without a call");
    let (asked, respond) = backend.next_request().await.unwrap();
    assert_eq!(asked, request);
    (call, respond)
}
