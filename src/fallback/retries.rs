use std::{fmt, sync::Arc, time::Duration};

use tokio::time::{Sleep, sleep};
use tower::retry::{Policy, RetryLayer, budget::Budget};
use tower_layer::Stack;

use super::{FallbackLayer, when_open::is_open, when_unhealthy::is_unhealthy};
use crate::{Backoff, BoxError, Classify, ErrorsAreFailures, Outcome, Ratio};

/// When to try again before falling back: a policy for tower's
/// [`Retry`](tower::retry::Retry).
///
/// | setting | default |
/// |---|---|
/// | number of retries | none: it is an argument |
/// | [`backoff`](Self::backoff) | [`BACKOFF`](Self::BACKOFF): 50 ms, doubled up to 1 s, jitter 50 % |
/// | [`classify`](Self::classify) | every error is tried again |
/// | [`budget`](Self::budget) | none |
///
/// Never tried again: a call that a circuit or a [health gate](crate::health::HealthGateLayer)
/// refused, and one whose backend asked to be left alone for longer than the longest wait. For requests that may run twice, and services whose error is
/// a [`BoxError`] (tower's `map_err(Into::into)` makes one). Each request is cloned.
///
/// ```
/// use tower::{Layer, ServiceBuilder, retry::RetryLayer};
/// use tower_failover::{
///     BoxError,
///     fallback::{FallbackLayer, Retries, Value},
/// };
/// # let service = tower::service_fn(async |_: u32| Ok::<_, BoxError>(""));
///
/// let short = FallbackLayer::new(Value::with(|| "later")).after_retries(Retries::up_to(2));
/// let long = ServiceBuilder::new()
///     .layer(FallbackLayer::new(Value::with(|| "later")))
///     .layer(RetryLayer::new(Retries::up_to(2)));
/// # drop(tower::ServiceExt::oneshot(short.layer(service), 1));
/// # drop(tower::ServiceExt::oneshot(long.service(service), 1));
/// ```
///
/// # Panics
///
/// A wait panics outside of a tokio runtime with a timer.
#[derive(Clone)]
pub struct Retries<C = ErrorsAreFailures> {
    left: u32,
    failures: u32,
    backoff: Backoff,
    classifier: C,
    budget: Option<Arc<dyn Budget + Send + Sync>>,
}

impl Retries {
    /// The default waits: 50 ms, doubled up to 1 s, each shortened by up to a half at random.
    pub const BACKOFF: Backoff =
        Backoff::growing(Duration::from_millis(50), Duration::from_secs(1))
            .jitter(Ratio::percent(50));

    /// Tries again up to `retries` times after the first failure.
    #[must_use]
    pub const fn up_to(retries: u32) -> Self {
        Self {
            left: retries,
            failures: 0,
            backoff: Self::BACKOFF,
            classifier: ErrorsAreFailures,
            budget: None,
        }
    }
}

impl<C> Retries<C> {
    /// How long to wait before each retry.
    #[must_use]
    pub fn backoff(self, backoff: Backoff) -> Self {
        Self { backoff, ..self }
    }

    /// Tries again after results that `classifier` calls a failure.
    #[must_use]
    pub fn classify<C2>(self, classifier: C2) -> Retries<C2> {
        let Self { left, failures, backoff, classifier: _, budget } = self;
        Retries { left, failures, backoff, classifier, budget }
    }

    /// Lets retries be only a share of all calls, for instance by a
    /// [`TpsBudget`](tower::retry::budget::TpsBudget).
    #[must_use]
    pub fn budget(self, budget: Arc<dyn Budget + Send + Sync>) -> Self {
        Self { budget: Some(budget), ..self }
    }
}

impl<C, Request, T> Policy<Request, T, BoxError> for Retries<C>
where
    C: Classify<T, BoxError>,
    Request: Clone,
{
    type Future = Sleep;

    fn retry(&mut self, _: &mut Request, result: &mut Result<T, BoxError>) -> Option<Sleep> {
        match self.classifier.classify(result) {
            Outcome::Failure => {}
            Outcome::Success | Outcome::Ignored => {
                if let Some(budget) = &self.budget {
                    budget.deposit();
                }
                return None;
            }
        }
        let is_refused = |error| is_open(error) || is_unhealthy(error);
        let refused = result.as_ref().err().is_some_and(is_refused);
        let asked = self.classifier.retry_after(result).unwrap_or_default();
        if refused || asked > self.backoff.longest() {
            return None;
        }
        self.left = self.left.checked_sub(1)?;
        if self.budget.as_ref().is_some_and(|budget| !budget.withdraw()) {
            return None;
        }
        self.failures += 1;
        Some(sleep(self.backoff.wait(self.failures, fastrand::f64()).max(asked)))
    }

    fn clone_request(&mut self, request: &Request) -> Option<Request> {
        (self.left > 0).then(|| request.clone())
    }
}

impl<C> fmt::Debug for Retries<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retries")
            .field("left", &self.left)
            .field("backoff", &self.backoff)
            .field("classifier", &format_args!("{}", std::any::type_name::<C>()))
            .field("has_budget", &self.budget.is_some())
            .finish_non_exhaustive()
    }
}

impl<F, C, O, L> FallbackLayer<F, C, O, L> {
    /// Falls back only after the inner service was tried again as `policy` says.
    ///
    /// Puts tower's [`RetryLayer`] below the fallback and all that was put there before: a budget
    /// set by [`inner_within`](Self::inner_within) before this holds for all tries together, one
    /// set after it for each try.
    pub fn after_retries<P>(self, policy: P) -> FallbackLayer<F, C, O, Stack<RetryLayer<P>, L>> {
        self.map(|classifier| classifier, |below| Stack::new(RetryLayer::new(policy), below))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{circuit_breaker::Open, logic::Moment};

    #[tokio::test]
    async fn a_call_that_a_circuit_refused_is_never_tried_again() {
        let retry = |error: BoxError| {
            let failed = &mut Err::<(), _>(error);
            Policy::<(), (), BoxError>::retry(&mut Retries::up_to(3), &mut (), failed).is_some()
        };
        assert!(!retry(Open::new("redis".into(), Moment::NEVER).into()));
        assert!(retry("down".into()));
    }
}
