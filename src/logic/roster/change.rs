use super::{MemberId, Trigger};
use crate::logic::Moment;

/// Another member serves now, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) from: Option<MemberId>,
    pub(crate) to: Option<MemberId>,
    pub(crate) trigger: Trigger,
    /// The first sign of what brought it about.
    pub(crate) since: Moment,
}
