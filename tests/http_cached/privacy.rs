//! No one is ever served another user's answer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Empty};
use tower::{Layer, ServiceExt, service_fn};
use tower_failover::{
    BoxError,
    http::cached::{CacheLayer, Head, Page, Pages},
};

use crate::support::{Content, Reply, Site, get, pass};

/// How a user tells who he is.
#[derive(Clone, Copy, Debug)]
enum By {
    Cookie,
    SplitCookie,
    Authorization,
    Both,
    Extension,
}

#[derive(Clone)]
struct User(&'static str);

fn ask_as(by: By, user: &'static str) -> Request<Empty<bytes::Bytes>> {
    let (cookie, token) = (format!("session={user}"), format!("Bearer {user}"));
    match by {
        By::Cookie => get("/", &[("cookie", &cookie)]),
        By::SplitCookie => get("/", &[("cookie", "theme=dark"), ("cookie", &cookie)]),
        By::Authorization => get("/", &[("authorization", &token)]),
        By::Both => get("/", &[("authorization", &token), ("cookie", "theme=dark")]),
        By::Extension => {
            let mut request = get("/", &[]);
            request.extensions_mut().insert(User(user));
            request
        }
    }
}

fn user_of(headers: &HeaderMap) -> String {
    let values = headers.get_all("cookie").iter().chain(headers.get_all("authorization"));
    let names = ["alice", "bob"];
    let texts: Vec<_> = values.map(|value| value.to_str().unwrap()).collect();
    let user = names.into_iter().find(|name| texts.iter().any(|text| text.ends_with(name)));
    user.unwrap_or("nobody").to_owned()
}

fn verified(head: &Head<'_>) -> Option<String> {
    head.extensions().get::<User>().map(|user| user.0.to_owned())
}

const SAYS: [&[(&str, &str)]; 14] = [
    &[],
    &[("cache-control", "max-age=100")],
    &[("cache-control", "max-age=100, stale-if-error=1000")],
    &[("cache-control", "max-age=100, must-revalidate")],
    &[("cache-control", "max-age=100"), ("vary", "cookie")],
    &[("cache-control", "max-age=100"), ("vary", "authorization")],
    &[("cache-control", "max-age=100"), ("vary", "*")],
    &[("cache-control", "max-age=100"), ("set-cookie", "session=USER")],
    &[("cache-control", "max-age=100, public"), ("set-cookie", "session=USER")],
    &[("cache-control", "max-age=100, private")],
    &[("cache-control", "max-age=100, private=\"set-cookie\"")],
    &[("cache-control", "no-store")],
    &[("cache-control", "no-cache")],
    // Shareable as a mistake of the origin; the default scope does not trust it.
    &[("cache-control", "max-age=100, public")],
];

fn is_of(reply: &Reply, user: &str) -> bool {
    let other = if user == "alice" { "bob" } else { "alice" };
    let is_clean = |text: &str| !text.contains(other);
    is_clean(&reply.body) && reply.headers.values().all(|value| is_clean(value.to_str().unwrap()))
}

/// Alice, Bob and nobody ask in turn, while the origin is up, answers 503, is down, and is back.
async fn is_private(
    pages: impl Fn() -> Pages<Content>,
    by: By,
    says: &'static [(&str, &str)],
) -> usize {
    let site = Site::new(pages());
    let mut kept = 0;
    for state in ["up", "503", "down", "up"] {
        for wait in [0, 1, 150] {
            pass(wait).await;
            match state {
                "503" => site.fails_with(503),
                "down" => site.is_down(),
                _ => site.answers(move |request| {
                    let user = match request.extensions.get::<User>() {
                        Some(user) => user.0.to_owned(),
                        None => user_of(&request.headers),
                    };
                    let mut response = http::Response::builder();
                    for (name, value) in says {
                        response = response.header(*name, value.replace("USER", &user));
                    }
                    Ok(response.body(format!("secret of {user}").into())?)
                }),
            }
            for user in ["alice", "bob", "alice"] {
                if let Ok(reply) = site.ask(ask_as(by, user)).await {
                    assert!(is_of(&reply, user), "{by:?} {says:?} {state}: {user} got {reply:?}");
                    kept += usize::from(reply.is_kept());
                }
            }
            if let Ok(reply) = site.ask(get("/", &[])).await {
                let is_clean = is_of(&reply, "alice") && is_of(&reply, "bob");
                assert!(is_clean, "{by:?} {says:?} {state}: nobody got {reply:?}");
            }
        }
    }
    kept
}

const BY: [By; 4] = [By::Cookie, By::SplitCookie, By::Authorization, By::Both];

#[tokio::test(start_paused = true)]
async fn promise_9_by_default_callers_who_say_who_they_are_pass_by() {
    for by in BY {
        for says in SAYS {
            assert_eq!(is_private(Pages::new, by, says).await, 0, "{by:?} {says:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn promise_9_a_key_that_names_the_principal_keeps_users_apart() {
    let by_header = || Pages::new().principal(|head| Some(user_of(head.headers())));
    let mut kept = 0;
    for by in BY {
        for says in SAYS {
            kept += is_private(by_header, by, says).await;
        }
    }
    for says in SAYS {
        kept += is_private(|| Pages::new().principal(verified), By::Extension, says).await;
    }
    assert!(kept > 100, "only {kept} answers came from the cache");
}

#[tokio::test(start_paused = true)]
async fn promise_9_callers_whose_principal_is_not_known_pass_by() {
    for nobody in [None, Some(String::new())] {
        for by in BY {
            for says in SAYS {
                let nobody = nobody.clone();
                let pages = || {
                    Pages::new().principal({
                        let nobody = nobody.clone();
                        move |_| nobody.clone()
                    })
                };
                assert_eq!(is_private(pages, by, says).await, 0, "{by:?} {says:?}");
            }
        }
    }
}

/// In a public scope the user vouches for the origin, but what a response says still holds.
#[tokio::test(start_paused = true)]
async fn promise_9_in_a_public_scope_what_a_response_says_still_holds() {
    let (mut pairs, mut kept) = (0, 0);
    for by in BY {
        for says in SAYS {
            let is_by_cookie = matches!(by, By::Cookie | By::SplitCookie);
            let forbids = says.iter().any(|(name, value)| {
                *name == "set-cookie"
                    || ["private", "no-store", "no-cache", "*"]
                        .iter()
                        .any(|word| value.contains(word))
                    || (*name == "vary" && (*value == "cookie") == is_by_cookie)
            });
            let is_public = says.iter().any(|(_, value)| value.contains("public"));
            if forbids || (!is_by_cookie && !is_public) {
                pairs += 1;
                kept += is_private(|| Pages::new().public(), by, says).await;
            }
        }
    }
    assert!(pairs > 40 && kept > 10, "{pairs} cells, {kept} answers came from the cache");
}

/// All ask at once before anything is known of the target, so all wait for the first one's call.
#[tokio::test(start_paused = true)]
async fn promise_9_who_waits_for_the_call_of_another_gets_his_answer_only_if_it_may_be_shared() {
    for (says, calls) in [
        (&[("vary", "cookie")][..], 3),
        (&[("set-cookie", "session=USER")], 3),
        (&[("cache-control", "private")], 3),
        (&[("cache-control", "no-store")], 3),
        (&[("vary", "accept")], 1),
    ] {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        let origin = service_fn(move |request: Request<Empty<Bytes>>| {
            counted.fetch_add(1, Ordering::Relaxed);
            async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let user = user_of(request.headers());
                let mut response = Response::builder();
                for (name, value) in says {
                    response = response.header(*name, value.replace("USER", &user));
                }
                let body = if calls == 1 { String::from("all") } else { user };
                Ok::<_, BoxError>(response.body(Content::from(body))?)
            }
        });
        let (cache, _upkeep) = Page::cache("pages").build();
        let site = CacheLayer::new(cache, Pages::new().public()).layer(origin);
        let ask = async |user: &'static str| {
            let response = site.clone().oneshot(ask_as(By::Cookie, user)).await.unwrap();
            let (parts, body) = response.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let cookie = parts.headers.get("set-cookie").cloned();
            assert!(body == user || body == "all", "{says:?}: {user} got {body:?}");
            assert!(cookie.is_none_or(|cookie| cookie.to_str().unwrap().ends_with(user)));
        };
        tokio::join!(ask("alice"), ask("bob"), ask("nobody"));
        assert_eq!(count.load(Ordering::Relaxed), calls, "{says:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn promise_9_two_principals_are_not_mixed_up_whatever_their_names_are() {
    let names = ["a", "b", "a\n", "a\nb", "+a", "-", "", "G", "a;", "\u{0}", "a\u{0}"];
    for one in names {
        for other in names {
            let who = |head: &Head<'_>| head.extensions().get::<User>().map(|user| user.0.into());
            let site = Site::new(Pages::new().principal(who));
            site.says(&[("cache-control", "max-age=100"), ("vary", "accept")]);
            let ask = async |user| {
                let mut request = get("/", &[("accept", "a")]);
                request.extensions_mut().insert(User(user));
                site.ask(request).await.unwrap()
            };
            let first = ask(one).await;
            assert_eq!(ask(other).await.body == first.body, one == other, "{one:?} {other:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn promise_9_nothing_of_a_page_or_of_its_key_is_shown() {
    let who = |_: &Head<'_>| Some(String::from("principal-secret"));
    let site = Site::new(Pages::new().principal(who));
    site.says(&[
        ("cache-control", "max-age=100"),
        ("vary", "cookie"),
        ("x-secret", "header-secret"),
    ]);
    site.get("/?token=uri-secret", &[("cookie", "cookie-secret")]).await;
    let shown = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let seen = shown.clone();
    site.cache.invalidate_if(move |key, page| {
        *seen.lock().unwrap() = format!("{key:?} {page:?}");
        true
    });
    let shown = shown.lock().unwrap().clone() + &format!("{:?} {:?}", site.pages, site.cache);
    assert!(shown.contains("Page") && !shown.contains("secret"), "{shown}");
}
