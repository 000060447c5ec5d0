use std::error::Error;

/// The error itself of one that several callers share, so that it is judged as if it was one's own.
#[cfg(feature = "cache")]
pub(crate) fn unshared<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    match error.downcast_ref::<super::cached::SharedError>() {
        Some(shared) => shared.get_ref(),
        None => error,
    }
}

/// Without a cache no error is shared.
#[cfg(not(feature = "cache"))]
pub(crate) const fn unshared<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    error
}
