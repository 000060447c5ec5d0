use std::{any::type_name, fmt, marker::PhantomData, time::Duration};

use tower_layer::{Identity, Layer, Stack};

use super::{
    BudgetLayer, Fallback, Marked, Or, OrElapsed, Plain, WhenOpen, WhenTargetUnhealthy,
    WhenUnhealthy, audience::Audience,
};
use crate::{
    ErrorsAreFailures,
    event::{Name, Observer},
    health::{Health, HealthGateLayer},
};

/// Puts a [`Fallback`] around a service; see the [module](super) for how it behaves.
///
/// | parameter | is | set by |
/// |---|---|---|
/// | `F` | the strategy | [`new`](Self::new) |
/// | `C` | which results are failures | [`classify`](Self::classify), [`only_when_open`](Self::only_when_open), [`only_when_unhealthy`](Self::only_when_unhealthy) |
/// | `O` | whether answers say where they came from | [`served`](Self::served) |
/// | `L` | the layers between the fallback and the service | [`inner_within`](Self::inner_within), [`by_health`](Self::by_health), `after_retries` |
pub struct FallbackLayer<F, C = ErrorsAreFailures, O = Plain, L = Identity> {
    strategy: F,
    classifier: C,
    name: Option<Name>,
    audience: Audience,
    below: L,
    shape: PhantomData<fn() -> O>,
}

impl<F> FallbackLayer<F> {
    /// Answers by `strategy` when the inner service fails.
    pub const fn new(strategy: F) -> Self {
        Self {
            strategy,
            classifier: ErrorsAreFailures,
            name: None,
            audience: Audience::NOBODY,
            below: Identity::new(),
            shape: PhantomData,
        }
    }
}

impl<F, O, L> FallbackLayer<F, ErrorsAreFailures, O, L> {
    /// Falls back on results that `classifier` calls a failure. Default: on every error.
    ///
    /// Set it before [`inner_within`](Self::inner_within), which adds to it.
    pub fn classify<C>(self, classifier: C) -> FallbackLayer<F, C, O, L> {
        self.map(|_| classifier, |below| below)
    }

    /// Falls back only when a circuit refused the call; every other result goes to the caller.
    ///
    /// For services whose error is a [`BoxError`](crate::BoxError); the [`Open`](crate::circuit_breaker::Open) may
    /// be among its sources.
    pub fn only_when_open(self) -> FallbackLayer<F, WhenOpen, O, L> {
        self.classify(WhenOpen)
    }

    /// Falls back only when a target was [`Unhealthy`](crate::health::Unhealthy); every other
    /// result goes to the caller.
    ///
    /// For services whose error is a [`BoxError`](crate::BoxError); the refusal may be among its
    /// sources. The gate that refuses is yours to place: see [`by_health`](Self::by_health).
    pub fn only_when_unhealthy(self) -> FallbackLayer<F, WhenUnhealthy, O, L> {
        self.classify(WhenUnhealthy)
    }

    /// Answers by the strategy, without a look at the inner service, while this says that the
    /// target is unhealthy; every result of the inner service goes to the caller.
    ///
    /// Puts a [`HealthGateLayer`] below the fallback and all that was put there before, and falls
    /// back only when it refuses: the refusal of another target goes to the caller. To fall back on failures too, put
    /// that layer under a fallback yourself.
    pub fn by_health(
        self,
        health: Health,
    ) -> FallbackLayer<F, WhenTargetUnhealthy, O, Stack<HealthGateLayer, L>> {
        let target = Name::from(String::from(health.name()));
        let gate = HealthGateLayer::new(health);
        self.map(|_| WhenTargetUnhealthy { target }, |below| Stack::new(gate, below))
    }
}

impl<F, C, O, L> FallbackLayer<F, C, O, L> {
    /// Responds with [`Served`](super::Served), which says where the answer came from.
    pub fn served(self) -> FallbackLayer<F, C, Marked, L> {
        self.map(|classifier| classifier, |below| below)
    }

    /// Gives the inner service this long for getting ready and answering together.
    ///
    /// A circuit below sees calls that are given up so as cancelled, and by default those say
    /// nothing: put a timeout between the circuit and what it guards, or let its policy count
    /// [cancelled](crate::circuit_breaker::Policy::cancelled) calls, or a service that hangs never
    /// opens it.
    ///
    /// The fallback is then always ready itself, and answers when the inner service is not ready
    /// or hangs. A spent budget is a failure whatever the classifier or the mode says. Puts a
    /// [`BudgetLayer`] below the fallback and all that was put there before; the error is a
    /// [`BoxError`](crate::BoxError), and an [`Elapsed`](super::Elapsed) if nothing else answered either.
    pub fn inner_within(
        self,
        budget: Duration,
    ) -> FallbackLayer<F, OrElapsed<C>, O, Stack<BudgetLayer, L>> {
        self.map(OrElapsed::new, |below| Stack::new(BudgetLayer::new(budget), below))
    }

    /// Names this fallback in events. Default: `fallback`.
    #[must_use]
    pub fn named(self, name: impl Into<Name>) -> Self {
        let name = name.into();
        Self { audience: self.audience.named(&name), name: Some(name), ..self }
    }

    /// Tells this observer about answers of the strategy and about its failures.
    ///
    /// Costs each call one reference count, whatever the number of observers.
    #[must_use]
    pub fn observe(self, observer: impl Observer + 'static) -> Self {
        let name = self.name.clone().unwrap_or_else(|| Name::from("fallback"));
        Self { audience: self.audience.with(name, observer), ..self }
    }

    /// Asks `next` when the strategy fails, as `or` of a strategy does.
    pub fn or<N>(self, next: N) -> FallbackLayer<Or<F, N>, C, O, L> {
        self.map_strategy(|strategy| Or::new(strategy, next))
    }

    pub(crate) fn map_strategy<G>(self, change: impl FnOnce(F) -> G) -> FallbackLayer<G, C, O, L> {
        FallbackLayer {
            strategy: change(self.strategy),
            classifier: self.classifier,
            name: self.name,
            audience: self.audience,
            below: self.below,
            shape: PhantomData,
        }
    }

    pub(crate) fn map<C2, O2, L2>(
        self,
        classifier: impl FnOnce(C) -> C2,
        below: impl FnOnce(L) -> L2,
    ) -> FallbackLayer<F, C2, O2, L2> {
        FallbackLayer {
            strategy: self.strategy,
            classifier: classifier(self.classifier),
            name: self.name,
            audience: self.audience,
            below: below(self.below),
            shape: PhantomData,
        }
    }
}

impl<S, F, C, O, L> Layer<S> for FallbackLayer<F, C, O, L>
where
    F: Clone,
    C: Clone,
    L: Layer<S>,
{
    type Service = Fallback<L::Service, F, C, O>;

    fn layer(&self, inner: S) -> Self::Service {
        let (strategy, classifier) = (self.strategy.clone(), self.classifier.clone());
        Fallback::new(self.below.layer(inner), strategy, classifier, self.audience.clone())
    }
}

impl<F, C, O, L> Clone for FallbackLayer<F, C, O, L>
where
    F: Clone,
    C: Clone,
    L: Clone,
{
    fn clone(&self) -> Self {
        Self {
            strategy: self.strategy.clone(),
            classifier: self.classifier.clone(),
            name: self.name.clone(),
            audience: self.audience.clone(),
            below: self.below.clone(),
            shape: PhantomData,
        }
    }
}

impl<F, C, O, L> fmt::Debug for FallbackLayer<F, C, O, L>
where
    F: fmt::Debug,
    L: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FallbackLayer")
            .field("strategy", &self.strategy)
            .field("classifier", &format_args!("{}", type_name::<C>()))
            .field("audience", &self.audience)
            .field("below", &self.below)
            .finish_non_exhaustive()
    }
}
