//! What tells pages apart, and what makes them be forgotten.

use http::{HeaderValue, Method, Request, header::HOST};
use tower_failover::http::cached::Pages;

use crate::support::{Site, get, request};

const FRESH: [(&str, &str); 1] = [("cache-control", "max-age=100")];

#[tokio::test(start_paused = true)]
async fn promise_9_two_targets_never_share() {
    let site = Site::new(Pages::new());
    site.says(&FRESH);
    let targets: &[(&str, &[(&str, &str)])] = &[
        ("/", &[]),
        ("/a", &[]),
        ("/A", &[]),
        ("/a/", &[]),
        ("/a?", &[]),
        ("/a?b", &[]),
        ("/a?B", &[]),
        ("/", &[("host", "one.test")]),
        ("/", &[("host", "two.test")]),
        ("/", &[("host", "one.test:8080")]),
        ("/", &[("host", "")]),
        ("http://one.test/", &[]),
        ("https://one.test/", &[]),
        ("http://two.test/", &[]),
        ("http://one.test:80/", &[]),
        ("http://alice@one.test/", &[]),
        ("http://Alice@one.test/", &[]),
        ("http://one.test/", &[("host", "two.test")]),
        ("http://two.test/", &[("host", "one.test")]),
    ];
    let mut bodies = std::collections::HashSet::new();
    for (path, headers) in targets {
        // No host and an empty one are the same.
        let is_new = bodies.insert(site.get(path, headers).await.body);
        assert_eq!(is_new, *headers != [("host", "")], "{path} {headers:?}");
    }
    for (path, headers) in targets {
        let again = site.get(path, headers).await;
        assert!(again.is_kept() && bodies.contains(&again.body), "{path} {headers:?}");
    }
    assert!(site.get("http://ONE.test/", &[]).await.is_kept());
    assert!(site.get("/", &[("host", "TWO.test")]).await.is_kept());
    assert_eq!(site.calls(), targets.len() - 1);
}

#[tokio::test(start_paused = true)]
async fn promise_9_a_request_that_does_not_say_clearly_which_host_it_means_passes_by() {
    let site = Site::new(Pages::new());
    site.says(&FRESH);
    let two = || {
        let mut request = get("/", &[("host", "one.test")]);
        request.headers_mut().append(HOST, HeaderValue::from_static("two.test"));
        request
    };
    let odd = || get("/", &[("host", "one.test\u{e9}")]);
    for _ in 0..2 {
        assert!(!site.ask(two()).await.unwrap().is_kept());
        assert!(!site.ask(odd()).await.unwrap().is_kept());
    }
    assert!(site.cache.is_empty());
}

#[tokio::test(start_paused = true)]
async fn promise_6_a_key_that_would_be_too_long_is_not_made() {
    let site = Site::new(Pages::new());
    site.says(&FRESH);
    for (length, is_kept) in [(8_000, true), (9_000, false)] {
        let path = format!("/{}", "a".repeat(length));
        site.get(&path, &[]).await;
        assert_eq!(site.get(&path, &[]).await.is_kept(), is_kept, "{length}");
    }
    let site = Site::new(Pages::new().principal(|_| Some("a".repeat(9_000))));
    site.says(&FRESH);
    assert!(!site.keeps(&[]).await);
}

#[tokio::test(start_paused = true)]
async fn promise_9_get_and_head_are_kept_apart() {
    let site = Site::new(Pages::new());
    site.answers(|request| {
        let response = http::Response::builder().header("cache-control", "max-age=100");
        let body = if request.method == Method::HEAD { "" } else { "body" };
        Ok(response.header("content-length", "4").body(body.into())?)
    });
    let ask = async |method: Method| site.ask(request(method, "/", &[])).await.unwrap();
    for method in [Method::GET, Method::HEAD] {
        assert!(!ask(method).await.is_kept());
    }
    let (page, head) = (ask(Method::GET).await, ask(Method::HEAD).await);
    assert!(page.is_kept() && head.is_kept());
    assert_eq!((page.body.as_str(), head.body.as_str()), ("body", ""));
    assert_eq!(head.header("content-length"), "4");
    assert_eq!(site.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn promise_6_a_change_that_succeeds_forgets_all_pages_of_its_target() {
    let site = Site::new(Pages::new().principal(|head| {
        head.headers().get("x-user").map(|user| user.to_str().unwrap().to_owned())
    }));
    let ask = async |method: &Method, path: &str, user: &str| {
        site.ask(request(method.clone(), path, &[("x-user", user)])).await.unwrap()
    };
    let unsafe_methods = ["POST", "PUT", "PATCH", "DELETE", "PURGE", "get"];
    for name in unsafe_methods {
        let method = Method::from_bytes(name.as_bytes()).unwrap();
        site.says(&[("cache-control", "max-age=100"), ("vary", "accept")]);
        for user in ["alice", "bob"] {
            ask(&Method::GET, "/a", user).await;
            ask(&Method::HEAD, "/a", user).await;
            ask(&Method::GET, "/a?b", user).await;
        }
        for status in [400, 404, 405, 500, 503] {
            site.fails_with(status);
            ask(&method, "/a", "alice").await;
            assert!(ask(&Method::GET, "/a", "bob").await.is_kept(), "{name} {status}");
        }
        site.says(&FRESH);
        assert!(!ask(&method, "/a", "alice").await.is_kept(), "{name}");
        for user in ["alice", "bob"] {
            assert!(ask(&Method::GET, "/a?b", user).await.is_kept(), "{name}");
            assert!(!ask(&Method::GET, "/a", user).await.is_kept(), "{name}");
            assert!(!ask(&Method::HEAD, "/a", user).await.is_kept(), "{name}");
        }
        site.cache.invalidate_all();
    }
    site.says(&FRESH);
    ask(&Method::GET, "/a", "alice").await;
    for method in [Method::OPTIONS, Method::TRACE] {
        ask(&method, "/a", "alice").await;
        assert!(ask(&Method::GET, "/a", "alice").await.is_kept(), "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn promise_6_pages_are_forgotten_by_target_and_by_the_tags_that_the_origin_gives() {
    let site = Site::new(Pages::new().tags_from("cache-tag".parse().unwrap()));
    site.says(&[FRESH[0], ("cache-tag", "users, user:7"), ("cache-tag", "a\tb")]);
    for tag in ["users", "user:7", "a", "b"] {
        assert!(!site.get("/", &[]).await.is_kept());
        assert!(site.get("/", &[]).await.is_kept());
        site.cache.invalidate_tag("user");
        assert!(site.get("/", &[]).await.is_kept());
        site.cache.invalidate_tag(tag);
    }
    assert!(!site.get("/", &[]).await.is_kept());
    let target: Request<()> = Request::builder().uri("/").body(()).unwrap();
    site.cache.invalidate_tag(site.pages.tag_of(&target).unwrap());
    assert!(!site.get("/", &[]).await.is_kept());

    site.cache.invalidate_all();
    for bad in ["a ".repeat(65), String::from("\u{e9}")] {
        site.says(&[FRESH[0], ("cache-tag", &bad)]);
        assert!(!site.keeps(&[]).await, "{bad}");
    }
}

/// As hyper hands them in: over HTTP/2 the URI is absolute, over HTTP/1 there is a `Host`.
#[tokio::test(start_paused = true)]
async fn promise_6_a_change_forgets_the_pages_that_were_kept_over_another_protocol() {
    type Target = (&'static str, &'static [(&'static str, &'static str)]);
    let same: [Target; 8] = [
        ("http://shop.test/cart?a", &[]),
        ("https://shop.test/cart?a", &[]),
        ("https://Shop.Test:443/cart?a", &[]),
        ("http://shop.test:80/cart?a", &[]),
        ("http://alice@shop.test/cart?a", &[]),
        ("http://shop.test/cart?a", &[("host", "other.test")]),
        ("/cart?a", &[("host", "shop.test")]),
        ("/cart?a", &[("host", "SHOP.test:80")]),
    ];
    let others: [Target; 6] = [
        ("http://other.test/cart?a", &[]),
        ("http://other.test/cart?a", &[("host", "shop.test")]),
        ("http://shop.test:8080/cart?a", &[]),
        ("/cart", &[("host", "shop.test")]),
        ("/Cart?a", &[("host", "shop.test")]),
        ("/cart?a", &[]),
    ];
    let site = Site::new(Pages::new());
    site.says(&FRESH);
    for (path, headers) in same {
        for (path, headers) in same.iter().chain(&others) {
            site.get(path, headers).await;
            assert!(site.get(path, headers).await.is_kept());
        }
        assert_eq!(site.cache.len(), same.len() + others.len());
        site.ask(request(Method::POST, path, headers)).await.unwrap();
        assert_eq!(site.cache.len(), others.len(), "{path} {headers:?}");
    }
}
