use tower_layer::Layer;

use super::{AnswerRefusals, Everything, RefusalsOnly};

/// Puts [`AnswerRefusals`] around a service.
///
/// ```
/// use axum::{Router, routing::get};
/// use tower::ServiceBuilder;
/// use tower_failover::{
///     circuit_breaker::{Circuit, CircuitBreakerLayer},
///     http::AnswerRefusalsLayer,
/// };
///
/// let app: Router = Router::new().route("/", get(|| async { "hello" })).layer(
///     ServiceBuilder::new()
///         .layer(AnswerRefusalsLayer::new().infallible())
///         .layer(CircuitBreakerLayer::for_http(Circuit::new("app"))),
/// );
/// # let _ = app;
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct AnswerRefusalsLayer<A = RefusalsOnly> {
    answer: A,
}

impl AnswerRefusalsLayer {
    /// Answers what [`refusal`](super::refusal) does, and passes other errors on.
    #[must_use]
    pub const fn new() -> Self {
        Self::by(RefusalsOnly)
    }

    /// Answers other errors with `500`, so that none is left: routes of axum take no others.
    #[must_use]
    pub const fn infallible(self) -> AnswerRefusalsLayer<Everything> {
        AnswerRefusalsLayer::by(Everything)
    }
}

impl<A> AnswerRefusalsLayer<A> {
    /// Answers as this says.
    #[must_use]
    pub const fn by(answer: A) -> Self {
        Self { answer }
    }
}

impl<S, A> Layer<S> for AnswerRefusalsLayer<A>
where
    A: Clone,
{
    type Service = AnswerRefusals<S, A>;

    fn layer(&self, inner: S) -> Self::Service {
        AnswerRefusals::with(inner, self.answer.clone())
    }
}
