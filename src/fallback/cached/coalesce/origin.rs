use tower_service::Service;

use crate::{BoxError, fallback::cached::Query};

/// A service whose answers a [`Keeper`](crate::fallback::cached::Keeper) `Q` keeps, and whose calls
/// one task can make for another. Implemented by every service that, with all its parts, may be sent
/// between threads.
pub trait Origin<Request, Q>:
    Service<
        Request,
        Response = Q::Response,
        Error: Into<BoxError> + Send + 'static,
        Future: Send + 'static,
    > + Clone
    + Send
    + 'static
where
    Q: Query<Request>,
{
}

impl<S, Request, Q> Origin<Request, Q> for S
where
    S: Service<
            Request,
            Response = Q::Response,
            Error: Into<BoxError> + Send + 'static,
            Future: Send + 'static,
        > + Clone
        + Send
        + 'static,
    Q: Query<Request>,
{
}
