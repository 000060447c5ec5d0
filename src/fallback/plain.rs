use super::{Served, Shape, shape::sealed::Sealed};

/// A fallback that responds as its inner service does.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl Sealed for Plain {}

impl<T> Shape<T> for Plain {
    type Response = T;

    fn primary(response: T) -> T {
        response
    }

    fn fallback(served: Served<T>) -> T {
        served.into_inner()
    }
}
