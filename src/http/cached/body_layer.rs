use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http::Response;
use tower_layer::Layer;
use tower_service::Service;

use super::Body;

/// Stand-in.
#[derive(Clone, Copy, Debug, Default)]
pub struct BodyLayer;

impl BodyLayer {
    /// New.
    pub const fn new() -> Self {
        Self
    }
}

impl<S> Layer<S> for BodyLayer {
    type Service = BodyService<S>;

    fn layer(&self, inner: S) -> BodyService<S> {
        BodyService(inner)
    }
}

/// Stand-in.
#[derive(Clone, Debug)]
pub struct BodyService<S>(S);

impl<S, R, B> Service<R> for BodyService<S>
where
    S: Service<R, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body<B>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body<B>>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let future = self.0.call(request);
        Box::pin(async move { Ok(future.await?.map(Body::new)) })
    }
}
