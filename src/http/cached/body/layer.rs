use tower_layer::Layer;

use super::BodyService;

/// Gives the responses of a service a [`Body`](super::Body) that can be copied while it is read.
///
/// Stands under the cache, next to the client.
#[derive(Clone, Copy, Debug, Default)]
pub struct BodyLayer;

impl BodyLayer {
    /// A layer; there is nothing to set.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl<S> Layer<S> for BodyLayer {
    type Service = BodyService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        BodyService::new(inner)
    }
}

#[cfg(test)]
mod tests;
