use std::{fmt, sync::Arc};

use super::Head;

/// For whom answers are kept.
#[derive(Clone)]
pub(super) enum Scope {
    /// For those who do not say who they are.
    Anonymous,
    /// For everybody.
    Public,
    /// For each principal apart.
    Principal(Arc<Who>),
}

pub(super) type Who = dyn Fn(&Head<'_>) -> Option<String> + Send + Sync;

impl Scope {
    /// Whose answers may answer this request; `None` if nobody's.
    pub(super) fn admit(&self, head: &Head<'_>, has_credentials: bool) -> Option<Option<String>> {
        match self {
            Self::Public => Some(None),
            Self::Anonymous => (!has_credentials).then_some(None),
            // A principal without a name is no principal.
            Self::Principal(who) => match who(head).filter(|name| !name.is_empty()) {
                Some(principal) => Some(Some(principal)),
                None => (!has_credentials).then_some(None),
            },
        }
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::Public => "Public",
            Self::Principal(_) => "Principal",
        })
    }
}
