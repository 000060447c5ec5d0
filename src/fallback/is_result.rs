/// A [`Result`], by its parts.
///
/// A future that named the error of its service among its own parameters could not be spawned where
/// that is a boxed `dyn Error`: the compiler forgets lifetimes there, `'static` too, and finds the two
/// unequal.
pub trait IsResult: sealed::Sealed {
    /// What is in `Ok`.
    type Ok;
    /// What is in `Err`.
    type Error;
}

impl<T, E> IsResult for Result<T, E> {
    type Ok = T;
    type Error = E;
}

mod sealed {
    pub trait Sealed {}

    impl<T, E> Sealed for Result<T, E> {}
}
