use std::sync::Arc;

use super::Target;

/// Whom a call goes to.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) target: Arc<Target>,
    /// It is out, and this call tries whether it is back.
    pub(crate) is_trial: bool,
}
