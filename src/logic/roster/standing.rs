use super::Trigger;
use crate::logic::Moment;

/// Where a member stands, for a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Up,
    Out {
        trigger: Trigger,
        since: Moment,
        /// Good checks in a row.
        good: u32,
        /// The end of its wait, once a check was good.
        back_at: Option<Moment>,
    },
    CatchingUp,
}
