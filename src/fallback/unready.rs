use std::{
    any::Any,
    fmt,
    sync::{Mutex, PoisonError},
};

/// An error of the inner `poll_ready`, until the next call.
///
/// It has no type parameter, for the reason that [`IsResult`](super::IsResult) gives. The mutex is
/// never locked: it makes a service `Sync` whose error is not.
pub(super) struct Unready(Mutex<Option<Box<dyn Any + Send>>>);

impl Unready {
    pub(super) const fn no() -> Self {
        Self(Mutex::new(None))
    }

    #[inline]
    pub(super) fn set<E>(&mut self, error: Option<E>)
    where
        E: Send + 'static,
    {
        let error = error.map(|error| Box::new(error) as Box<dyn Any + Send>);
        *self.0.get_mut().unwrap_or_else(PoisonError::into_inner) = error;
    }

    #[inline]
    pub(super) fn take<E>(&mut self) -> Option<E>
    where
        E: 'static,
    {
        let error = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take()?;
        error.downcast().ok().map(|error| *error)
    }
}

impl fmt::Debug for Unready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_some = self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        f.debug_tuple("Unready").field(&is_some).finish()
    }
}
