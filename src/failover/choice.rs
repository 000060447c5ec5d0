use std::sync::Arc;

use super::Target;

/// Whom a call goes to.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) target: Arc<Target>,
    /// It is out, and this call tries whether it is back.
    pub(super) is_trial: bool,
}
