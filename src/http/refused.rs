use std::{any::Any, error::Error, iter, time::Duration};

use crate::{BoxError, circuit_breaker::Open, failover::NoBackend, health::Unhealthy};

/// When to come back, by the refusal in an error: the error itself, or one among its sources.
pub(crate) fn comes_back_after(error: &(dyn Error + 'static)) -> Option<Duration> {
    iter::successors(Some(error), |error| (*error).source()).find_map(|error| {
        if let Some(open) = error.downcast_ref::<Open>() {
            open.retry_after()
        } else if let Some(unhealthy) = error.downcast_ref::<Unhealthy>() {
            unhealthy.retry_after()
        } else {
            error.downcast_ref::<NoBackend>()?.retry_after()
        }
    })
}

/// The same of the error of a service, whatever its type: boxed, or a refusal itself.
pub(super) fn any_comes_back_after<E: 'static>(error: &E) -> Option<Duration> {
    let error: &dyn Any = error;
    if let Some(boxed) = error.downcast_ref::<BoxError>() {
        return comes_back_after(&**boxed);
    }
    let refusal = a::<Open>(error).or_else(|| a::<Unhealthy>(error));
    comes_back_after(refusal.or_else(|| a::<NoBackend>(error))?)
}

fn a<E: Error + 'static>(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    error.downcast_ref::<E>().map(|error| error as _)
}
