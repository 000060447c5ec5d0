use http::Request;
use tower_failover::http::cached::{Head, Pages};

use crate::{
    caller::{Caller, caller_of},
    cell::{Cell, Says},
};

/// Whose pages a cache was told to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Anonymous,
    Public,
    Principal,
}

/// Put into requests by a layer that has verified their credentials.
#[derive(Clone, Debug)]
struct User(&'static str);

pub(crate) fn verify<B>(mut request: Request<B>) -> Request<B> {
    match caller_of(request.headers()) {
        Caller::Nobody => {}
        caller @ (Caller::Alice | Caller::Bob) => {
            request.extensions_mut().insert(User(caller.name()));
        }
    }
    request
}

fn principal(head: &Head<'_>) -> Option<String> {
    head.extensions().get::<User>().map(|user| user.0.to_owned())
}

impl Scope {
    pub(crate) fn pages<B>(self) -> Pages<B> {
        let pages = Pages::new();
        match self {
            Self::Anonymous => pages,
            Self::Public => pages.public(),
            Self::Principal => pages.principal(principal),
        }
    }

    /// Whether the table has this cell for it.
    pub(crate) fn has(self, cell: &Cell) -> bool {
        match self {
            Self::Anonymous | Self::Principal => true,
            Self::Public => cell.says.tells_users_apart(cell.by),
        }
    }

    /// Whether this caller may see this page.
    pub(crate) fn permits(self, cell: &Cell, caller: Caller, user: &str) -> bool {
        // What nobody in particular was told is for all, if the cache was told that so is all, and
        // the origin names no header by which this caller would be another.
        let is_for_all = self == Self::Public
            && user == Caller::Nobody.name()
            && cell.says.may_answer_all()
            && !cell.says.varies_by(&caller.credentials(cell.by));
        let is_common = cell.says == Says::Common && user == "everybody";
        user == caller.name() || is_common || is_for_all
    }
}
