use std::any::Any;

use crate::{BoxError, circuit_breaker::Open};

/// The refusal in the error of a service: the error itself or, of a boxed one, also a source.
pub(super) fn refused<E: 'static>(error: &E) -> Option<&Open> {
    let error: &dyn Any = error;
    match error.downcast_ref::<BoxError>() {
        Some(boxed) => Open::find(&**boxed),
        None => error.downcast_ref(),
    }
}
