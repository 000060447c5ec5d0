//! Random requests and responses of two users, against a slow and obvious model of who may see what.

use std::{
    cell::Cell,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{HeaderMap, Request, request::Parts};
use http_body_util::Empty;
use proptest::{prelude::*, sample::select};
use tokio::time::Instant;
use tower_failover::{fallback::Source, http::cached::Pages};

use crate::support::{Content, Site, get, response};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Scope {
    Default,
    Public,
    Principal,
}

#[derive(Clone, Debug)]
struct Step {
    wait: u64,
    is_up: bool,
    path: &'static str,
    asks: Vec<(&'static str, &'static str)>,
    says: Vec<(&'static str, &'static str)>,
}

/// One call that the origin answered.
struct Exchange {
    at: Instant,
    request: Parts,
    says: Vec<(&'static str, &'static str)>,
}

const ASKS: [(&str, &str); 12] = [
    ("cookie", "user=alice"),
    ("cookie", "user=bob"),
    ("cookie", "theme=dark"),
    ("authorization", "alice"),
    ("authorization", "bob"),
    ("accept", "a"),
    ("accept", "b"),
    ("host", "one.test"),
    ("host", "two.test"),
    ("cache-control", "max-age=5"),
    ("cache-control", "No-Store"),
    ("range", "bytes=0-1"),
];

const SAYS: [(&str, &str); 21] = [
    ("cache-control", "max-age=10"),
    ("cache-control", "max-age=10"),
    ("cache-control", "max-age=10"),
    ("cache-control", "max-age=20, stale-if-error=15"),
    ("cache-control", "s-maxage=10"),
    ("cache-control", "public"),
    ("cache-control", "Public, Max-Age=10"),
    ("cache-control", "must-revalidate"),
    ("cache-control", "Proxy-Revalidate"),
    ("cache-control", "private"),
    ("cache-control", "PRIVATE=\"x\""),
    ("cache-control", "no-store"),
    ("cache-control", "No-Cache"),
    ("cache-control", "\u{ff}"),
    ("vary", "Cookie"),
    ("vary", "authorization, accept"),
    ("vary", "accept"),
    ("vary", "accept,*"),
    ("set-cookie", "user=alice"),
    ("age", "4"),
    ("age", "18446744073709551615"),
];

fn step() -> impl Strategy<Value = Step> {
    let asks = prop::collection::vec(select(&ASKS[..]), 0..3);
    let says = prop::collection::vec(select(&SAYS[..]), 0..4);
    let path = select(&["/", "/a"][..]);
    (0..12_u64, any::<bool>(), path, asks, says).prop_map(|(wait, is_up, path, asks, says)| Step {
        wait,
        is_up,
        path,
        asks,
        says,
    })
}

/// Everything under these names, in lower case.
fn text(says: &[(&str, &str)], name: &str) -> String {
    let values = says.iter().filter(|(other, _)| *other == name).map(|(_, value)| *value);
    values.collect::<Vec<_>>().join(",").to_lowercase()
}

fn least(text: &str, word: &str) -> Option<u64> {
    let values = text.split([',', ' ']).filter_map(|part| part.strip_prefix(word));
    values.map(|number| number.parse().unwrap()).min()
}

fn principal(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all("cookie").iter().chain(headers.get_all("authorization"));
    let texts: Vec<_> = values.map(|value| value.to_str().unwrap()).collect();
    let user =
        ["alice", "bob"].into_iter().find(|user| texts.iter().any(|text| text.ends_with(user)));
    user.map(str::to_owned)
}

fn names_somebody(request: &Parts) -> bool {
    request.headers.contains_key("cookie") || request.headers.contains_key("authorization")
}

/// Why the answer of this exchange may not answer that request now.
fn objection(
    scope: Scope,
    kept: &Exchange,
    request: &Parts,
    is_fresh: bool,
) -> Option<&'static str> {
    let control = text(&kept.says, "cache-control");
    let has = |word| control.contains(word);
    let own = &kept.request;
    let all = |parts: &Parts, name: &str| -> Vec<_> {
        parts.headers.get_all(name).iter().cloned().collect()
    };
    if own.uri != request.uri || all(own, "host") != all(request, "host") {
        return Some("another target");
    }
    for request in [own, request] {
        let asks = all(request, "cache-control");
        if request.headers.contains_key("range") || asks.iter().any(|says| says == "No-Store") {
            return Some("the request is not for a cache");
        }
        if all(request, "host").len() > 1 {
            return Some("the request names two hosts");
        }
    }
    if !text(&kept.says, "set-cookie").is_empty() || text(&kept.says, "vary").contains('*') {
        return Some("for its caller only");
    }
    if has("private") || has("no-store") || has("no-cache") || has("\u{ff}") {
        return Some("it may not be kept");
    }
    for name in ["cookie", "authorization", "accept"] {
        if text(&kept.says, "vary").contains(name) && all(own, name) != all(request, name) {
            return Some("it varies");
        }
    }
    let is_shared = match scope {
        Scope::Default => !names_somebody(own) && !names_somebody(request),
        Scope::Public => {
            !own.headers.contains_key("authorization") || has("public") || has("s-maxage")
        }
        Scope::Principal => {
            let (one, other) = (principal(&own.headers), principal(&request.headers));
            let is_known = |who: &Option<_>, request| who.is_some() || !names_somebody(request);
            one == other && is_known(&one, own) && is_known(&other, request)
        }
    };
    if !is_shared {
        return Some("another user's");
    }
    let fresh_for = least(&control, "s-maxage=").or(least(&control, "max-age=")).unwrap_or(0);
    let stale_for = if has("revalidate") || has("s-maxage") {
        0
    } else {
        least(&control, "stale-if-error=").unwrap_or(600)
    };
    let said = kept.says.iter().filter(|(name, _)| *name == "age").map(|(_, age)| age.len());
    let came_at = match said.max() {
        Some(1) => 4,
        Some(_) => return Some("it was very old when it came"),
        None => 0,
    };
    let age = kept.at.elapsed() + Duration::from_secs(came_at);
    let end = if is_fresh { fresh_for } else { fresh_for + stale_for };
    (age >= Duration::from_secs(end)).then_some("it is too old")
}

struct Seen {
    kept: Cell<usize>,
    crossed: Cell<usize>,
    stale: Cell<usize>,
}

async fn run(
    scope: Scope,
    is_cached: bool,
    steps: &[Step],
    seen: &Seen,
) -> Result<(), TestCaseError> {
    let pages: Pages<Content> = match scope {
        Scope::Default => Pages::new(),
        Scope::Public => Pages::new().public(),
        Scope::Principal => Pages::new().principal(|head| principal(head.headers())),
    };
    let site = Site::new(pages);
    let site = if is_cached { site } else { site.only_stale() };
    let exchanges: Arc<Mutex<Vec<Exchange>>> = Arc::default();
    for step in steps {
        tokio::time::advance(Duration::from_secs(step.wait)).await;
        if step.is_up {
            let (says, exchanges) = (step.says.clone(), exchanges.clone());
            site.answers(move |request| {
                let mut exchanges = exchanges.lock().unwrap();
                let headers: Vec<_> = says
                    .iter()
                    .map(|(name, value)| (name.to_string(), value.to_string()))
                    .collect();
                let body = exchanges.len().to_string();
                let (at, request, says) = (Instant::now(), request.clone(), says.clone());
                exchanges.push(Exchange { at, request, says });
                Ok(response(200, &headers, body))
            });
        } else {
            site.fails_with(503);
        }
        let request = get(step.path, &step.asks);
        let parts: Parts = {
            let request: Request<Empty<bytes::Bytes>> = request.clone();
            request.into_parts().0
        };
        let reply = site.ask(request).await.unwrap();
        if !reply.is_kept() {
            continue;
        }
        let exchanges = exchanges.lock().unwrap();
        let kept = &exchanges[reply.body.parse::<usize>().unwrap()];
        let is_fresh = matches!(reply.source, Source::Cache { .. });
        let objection = objection(scope, kept, &parts, is_fresh);
        prop_assert_eq!(objection, None, "{:?} {:?} answered {:?}", kept.request, kept.says, parts);
        seen.kept.set(seen.kept.get() + 1);
        seen.stale.set(seen.stale.get() + usize::from(!is_fresh));
        let crossed = principal(&kept.request.headers) != principal(&parts.headers);
        seen.crossed.set(seen.crossed.get() + usize::from(crossed));
    }
    Ok(())
}

fn holds(scope: Scope) -> Seen {
    let seen = Seen { kept: Cell::new(0), crossed: Cell::new(0), stale: Cell::new(0) };
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) };
    let steps = prop::collection::vec(step(), 1..60);
    proptest!(config, |(steps in steps, is_cached: bool)| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true);
        runtime.build().unwrap().block_on(run(scope, is_cached, &steps, &seen))?;
    });
    println!(
        "{scope:?}: {} kept, {} stale, {} crossed",
        seen.kept.get(),
        seen.stale.get(),
        seen.crossed.get()
    );
    assert!(seen.kept.get() > 200 && seen.stale.get() > 100, "too little came from the cache");
    seen
}

#[test]
fn promise_9_by_default_a_page_is_shared_by_those_only_who_say_nothing_of_themselves() {
    assert_eq!(holds(Scope::Default).crossed.get(), 0);
}

#[test]
fn promise_9_a_page_of_a_principal_is_served_to_no_other() {
    assert_eq!(holds(Scope::Principal).crossed.get(), 0);
}

#[test]
fn promise_9_in_a_public_scope_a_page_is_served_to_others_only_if_it_may_be_shared() {
    assert!(holds(Scope::Public).crossed.get() > 100);
}
