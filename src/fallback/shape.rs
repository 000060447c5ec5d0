use super::Served;

/// What a fallback responds with: the bare answer ([`Plain`]) or [`Served`] ([`Marked`]).
///
/// [`Plain`]: super::Plain
/// [`Marked`]: super::Marked
pub trait Shape<T>: sealed::Sealed {
    /// The response of the service.
    type Response;

    /// An answer of the inner service.
    fn primary(response: T) -> Self::Response;

    /// An answer of a strategy.
    fn fallback(served: Served<T>) -> Self::Response;
}

pub(super) mod sealed {
    pub trait Sealed {}
}
