use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, StatusCode, header};

use super::{
    asked::says_no_cache,
    directives::{Directives, LONGEST, seconds},
    rules,
    settings::Settings,
};
use crate::{Ratio, event::Name, fallback::cached::Terms};

/// For how long a response is kept.
#[derive(Debug, PartialEq)]
pub(super) struct Verdict {
    /// From when the origin gave it.
    pub(super) fresh_for: Duration,
    stale_for: Duration,
    /// When it came.
    age: Duration,
    /// It says that there is no page, and not for how long.
    is_negative: bool,
    tags: Vec<Name>,
}

const MOST_TAGS: usize = 64;

/// The request, as far as the verdict depends on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker {
    pub(super) is_head: bool,
    /// Has an `Authorization`, and others share its key.
    pub(super) is_credited: bool,
}

impl Verdict {
    /// `None` if it is not to be kept.
    pub(super) fn new(
        asker: Asker,
        status: StatusCode,
        headers: &HeaderMap,
        settings: &Settings,
        now: SystemTime,
    ) -> Option<Self> {
        let mut says = Directives::read(headers);
        let is_old_no_cache = !headers.contains_key(header::CACHE_CONTROL)
            && headers.get_all(header::PRAGMA).iter().any(says_no_cache);
        if says.no_cache || is_old_no_cache || status.is_server_error() {
            return None;
        }
        if headers.contains_key(header::SET_COOKIE) {
            return None;
        }
        let method = if asker.is_head { http::Method::HEAD } else { http::Method::GET };
        let dated = date(headers, header::DATE);
        if says.max_age.is_none() && headers.contains_key(header::EXPIRES) {
            says.max_age = Some(lifetime(headers, &dated, now));
        }
        let says_freshness = says.max_age.is_some() || says.s_maxage.is_some();
        let said = rules::fresh_for(&method, asker.is_credited, status, &says)?;
        let fresh_for = if says_freshness { said } else { settings.fresh_for };
        let stale_for = if says.revalidate || says.s_maxage.is_some() {
            Duration::ZERO
        } else {
            says.stale_if_error.unwrap_or(settings.stale_for)
        };
        let verdict = Self {
            fresh_for: fresh_for.min(settings.longest_fresh_for),
            stale_for: stale_for.min(settings.longest_stale_for),
            age: age(headers, &dated, now),
            is_negative: !says_freshness && status.is_client_error(),
            tags: tags(headers, settings.tags_from.as_ref())?,
        };
        (verdict.age < verdict.fresh_for.saturating_add(verdict.stale_for)).then_some(verdict)
    }

    /// The terms for a copy that is complete so long after the call began. `None` if it is past its
    /// end already, so that those who waited for it may not have it either.
    ///
    /// Without jitter, so that what the origin says holds to the second.
    pub(super) fn terms(self, target: Name, elapsed: Duration) -> Option<Terms> {
        let age = self.age.saturating_add(elapsed);
        if age >= self.fresh_for.saturating_add(self.stale_for) {
            return None;
        }
        let terms = Terms::new()
            .fresh_for(self.fresh_for)
            .stale_for(self.stale_for)
            .age(age)
            .jitter(Ratio::percent(0))
            .tag(target);
        let terms = if self.is_negative { terms.negative() } else { terms };
        Some(self.tags.into_iter().fold(terms, Terms::tag))
    }
}

/// What a header says when there may be only one.
enum Date {
    None,
    At(SystemTime),
    Unclear,
}

fn date(headers: &HeaderMap, name: HeaderName) -> Date {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else { return Date::None };
    if values.any(|other| other != first) {
        return Date::Unclear;
    }
    let read = first.to_str().ok().and_then(|text| httpdate::parse_http_date(text).ok());
    read.map_or(Date::Unclear, Date::At)
}

/// How long an `Expires` keeps a response fresh. What is unclear has expired.
fn lifetime(headers: &HeaderMap, dated: &Date, now: SystemTime) -> Duration {
    let Date::At(expires) = date(headers, header::EXPIRES) else { return Duration::ZERO };
    let began = match dated {
        Date::At(date) => *date,
        Date::None => now,
        Date::Unclear => return Duration::ZERO,
    };
    let lifetime = expires.duration_since(began).unwrap_or_default();
    Duration::from_secs(lifetime.as_secs()).min(LONGEST)
}

/// How old a response is when it comes, in whole seconds: what `Age` says or the time since `Date`,
/// whichever is more. An age that cannot be read is very old.
fn age(headers: &HeaderMap, dated: &Date, now: SystemTime) -> Duration {
    let said = headers.get_all(header::AGE).iter();
    let said = said.map(|age| age.to_str().ok().and_then(seconds).unwrap_or(LONGEST)).max();
    let apparent = match dated {
        Date::At(date) => now.duration_since(*date).unwrap_or_default(),
        Date::None | Date::Unclear => Duration::ZERO,
    };
    said.unwrap_or_default().max(Duration::from_secs(apparent.as_secs()))
}

/// `None` if there are too many, or if they cannot be read.
fn tags(headers: &HeaderMap, name: Option<&HeaderName>) -> Option<Vec<Name>> {
    let mut tags = Vec::new();
    let Some(name) = name else { return Some(tags) };
    for line in headers.get_all(name) {
        let text = line.to_str().ok()?;
        for tag in text.split([',', ' ', '\t']).filter(|tag| !tag.is_empty()) {
            if tags.len() == MOST_TAGS {
                return None;
            }
            tags.push(String::from(tag).into());
        }
    }
    Some(tags)
}
