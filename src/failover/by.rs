use std::{any::type_name, fmt};

use super::{Repeat, Repeats};

/// Asks a closure whether a request may be made again.
///
/// ```
/// use http::Request;
/// use tower_failover::failover::{By, Repeat};
///
/// let by_method = By(|request: &Request<String>| match request.method().is_idempotent() {
///     true => Repeat::Always,
///     false => Repeat::IfNotApplied,
/// });
/// # let _ = by_method;
/// ```
#[derive(Clone, Copy)]
pub struct By<F>(
    /// The closure: `Fn(&Request) -> Repeat`.
    pub F,
);

impl<F, Request> Repeats<Request> for By<F>
where
    F: Fn(&Request) -> Repeat,
    Request: Clone,
{
    #[inline]
    fn repeat(&self, request: &Request) -> Repeat {
        self.0(request)
    }

    #[inline]
    fn copy(&self, request: &Request) -> Option<Request> {
        Some(request.clone())
    }
}

impl<F> fmt::Debug for By<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("By").field(&format_args!("{}", type_name::<F>())).finish()
    }
}
