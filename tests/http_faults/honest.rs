use std::time::Duration;

use crate::{
    BUSY, GRACE,
    call::{Call, End, Read},
    page::{Kind, at},
    stack::ATTEMPT,
};

/// What the cache's clock may lag behind.
const TICK: Duration = Duration::from_millis(10);
/// `Date` tells whole seconds.
const SECOND: Duration = Duration::from_secs(1);

/// What is wrong with what this caller was told, if anything is (G7).
pub(crate) fn judge(call: &Call) -> Option<&'static str> {
    let End::Page { told, body } = &call.end else { return None };
    let kind = call.key.kind;
    let Some(age) = told.age else {
        let is_unmarked = told.age_header.is_none() && told.cache_status.starts_with("pages; fwd=");
        return match body {
            _ if !is_unmarked => Some("marked without a reason"),
            Read::Wrong(_) => Some("a part as a whole"),
            Read::Cut | Read::GivenUp => None,
            Read::Whole(answer) if answer.key != call.key => Some("another's page"),
            Read::Whole(answer) if answer.at + TICK < at(call.began) => Some("old, and not marked"),
            Read::Whole(_) => None,
        };
    };
    let how = match told.is_stale {
        true => told.cache_status.starts_with("pages; fwd=stale"),
        false => {
            told.cache_status.starts_with("pages; hit") || told.cache_status == "pages; fwd=miss"
        }
    };
    let Read::Whole(answer) = body else { return Some("no whole page was kept") };
    let (least, most) =
        (at(call.began).saturating_sub(answer.at), at(call.head).saturating_sub(answer.at));
    if !how {
        Some("`Cache-Status` says something else")
    } else if told.cache_status.starts_with("pages; hit") && age >= kind.fresh_for() {
        Some("told to be fresh")
    } else if answer.key != call.key {
        Some("another's page")
    } else if kind == Kind::Alone || told.is_stale && !kind.may_be_stale() {
        Some("not to be served")
    } else if told.age_header != Some(age.as_secs()) {
        Some("`Age` says something else")
    } else if age + TICK + BUSY < least {
        Some("older than it says")
    } else if age > most + SECOND + ATTEMPT + BUSY {
        Some("younger than it says")
    } else if age > kind.limit() || least > kind.limit() {
        Some("past its end")
    } else if call.ended - call.head > GRACE + BUSY {
        Some("a page that is not there at once")
    } else {
        None
    }
}
