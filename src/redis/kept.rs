use std::{error::Error, fmt, io, sync::Arc};

use redis::RedisError;

use crate::BoxError;

/// Makes a `RedisError` of any error, which stays its [`source`](Error::source).
pub(super) fn keep(kind: io::ErrorKind, error: impl Into<BoxError>) -> RedisError {
    io::Error::new(kind, Kept(error.into())).into()
}

/// The error that [`keep`] put into this one.
pub(super) fn kept(error: &RedisError) -> Option<&(dyn Error + 'static)> {
    let shared = error.source()?.downcast_ref::<Arc<dyn Error + Send + Sync>>()?;
    let Kept(kept) = shared.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref()?;
    Some(&**kept)
}

/// Stands between, because an `io::Error` hides the error it was made of from
/// whoever walks along `source`.
#[derive(Debug)]
struct Kept(BoxError);

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Error for Kept {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}
