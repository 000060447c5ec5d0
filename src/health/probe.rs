use std::pin::Pin;

use crate::BoxError;

/// One probe under way.
pub type Checking = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

/// Finds out whether a target does its work.
///
/// Every closure without arguments that returns a future of a `Result<(), _>` is one, and so is
/// [`ServiceProbe`](super::ServiceProbe). A probe that fails, panics or does not end makes a bad
/// check; it never stops the monitor. What it must not do is block its thread.
///
/// ```
/// use tower_failover::health::Health;
///
/// let (health, monitor) = Health::builder("config")
///     .probe(async || tokio::net::TcpStream::connect("127.0.0.1:6379").await.map(drop))
///     .monitor();
/// # let _ = (health, monitor);
/// ```
pub trait Probe: Send {
    /// Begins to probe the target.
    fn check(&self) -> Checking;
}

impl<F, Fut, E> Probe for F
where
    F: Fn() -> Fut + Send,
    Fut: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<BoxError>,
{
    fn check(&self) -> Checking {
        let probing = self();
        Box::pin(async move { probing.await.map_err(Into::into) })
    }
}
