use std::error::Error;

use crate::{failover::MayHaveRun, fallback::unshared};

/// The error itself of one that several callers share, or of one that a failover did not repeat for
/// it.
pub(super) fn bare<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut bare = unshared(error);
    while let Some(doubtful) = bare.downcast_ref::<MayHaveRun>() {
        bare = unshared(doubtful.get_ref());
    }
    bare
}
