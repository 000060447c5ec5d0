//! Which requests a kept page may answer.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use tower_failover::http::cached::Pages;

use crate::support::{Site, get, pass, request};

const FRESH: [(&str, &str); 1] = [("cache-control", "max-age=100, stale-if-error=100")];

/// Fills the cache by a plain request, then sees whether this one is answered by it: by a fresh
/// page, and by a stale one when the origin fails.
async fn is_answered(request: impl Fn() -> Request<http_body_util::Empty<Bytes>>) -> (bool, bool) {
    let site = Site::new(Pages::new());
    site.says(&FRESH);
    assert!(!site.get("/", &[]).await.is_kept());
    assert!(site.get("/", &[]).await.is_kept());
    let fresh = site.ask(request()).await.unwrap().is_kept();
    pass(150).await;
    site.fails_with(503);
    let stale = site.ask(request()).await.unwrap().is_kept();
    assert!(site.get("/", &[]).await.is_kept());
    (fresh, stale)
}

#[tokio::test(start_paused = true)]
async fn promise_9_a_request_that_asks_for_something_else_is_not_answered_by_a_page() {
    let table: &[&[(&str, &str)]] = &[
        &[("range", "bytes=0-1")],
        &[("if-none-match", "\"a\"")],
        &[("if-match", "\"a\"")],
        &[("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT")],
        &[("if-unmodified-since", "Sun, 06 Nov 1994 08:49:37 GMT")],
        &[("if-range", "\"a\"")],
        &[("upgrade", "websocket"), ("connection", "upgrade")],
        &[("content-length", "5")],
        &[("content-length", "+0")],
        &[("transfer-encoding", "chunked")],
        &[("cache-control", "no-store")],
        &[("cache-control", "no-cache")],
        &[("cache-control", "No-Cache")],
        &[("cache-control", "max-age=100"), ("cache-control", "NO-STORE")],
        &[("cache-control", "max-age=100, no-store\u{e9}")],
        &[("cache-control", "x=\"no end, max-age=100")],
        &[("cache-control", "max-stale=\"1\"0\"")],
        &[("pragma", "no-cache")],
        &[("pragma", "No-Cache")],
        &[("pragma", "\u{e9}")],
        &[("authorization", "Bearer alice")],
        &[("cookie", "session=alice")],
        &[("proxy-authorization", "Basic YQ==")],
    ];
    for headers in table {
        assert_eq!(is_answered(|| get("/", headers)).await, (false, false), "{headers:?}");
    }
    for method in [Method::OPTIONS, Method::TRACE] {
        let found = is_answered(|| request(method.clone(), "/", &[])).await;
        assert_eq!(found, (false, false), "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn promise_9_a_request_that_asks_for_nothing_else_is_answered_by_a_page() {
    let table: &[&[(&str, &str)]] = &[
        &[],
        &[("accept", "*/*"), ("user-agent", "a"), ("accept-encoding", "gzip")],
        &[("content-length", "0")],
        &[("pragma", "x")],
        &[("cache-control", "")],
        &[("cache-control", "max-stale")],
        &[("cache-control", "max-stale=60")],
        &[("cache-control", "stale-if-error=60")],
        &[("cache-control", "max-age=100")],
        &[("cache-control", "min-fresh=100")],
        &[("cache-control", "only-if-cached, x-unknown=\"no-store\"")],
    ];
    for headers in table {
        assert_eq!(is_answered(|| get("/", headers)).await, (true, true), "{headers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn promise_9_how_fresh_a_page_has_to_be_is_for_the_request_to_say() {
    let table = [
        ("max-age=60", true),
        ("max-age=30", true),
        ("max-age=29", false),
        ("Max-Age=0", false),
        ("max-age=-1", false),
        ("max-age=", false),
        ("max-age=60, max-age=0", false),
        ("max-age=18446744073709551615", true),
        ("max-age=99999999999999999999999999", true),
        ("min-fresh=70", true),
        ("min-fresh=71", false),
        ("min-fresh=-1", false),
        ("min-fresh=18446744073709551615", false),
        ("min-fresh=1, min-fresh=71", false),
        ("max-stale=0", true),
    ];
    for (says, is_fresh) in table {
        let site = Site::new(Pages::new());
        site.says(&FRESH);
        site.get("/", &[]).await;
        pass(30).await;
        let reply = site.get("/", &[("cache-control", says)]).await;
        assert_eq!(reply.is_kept(), is_fresh, "{says}");
    }
}

#[tokio::test(start_paused = true)]
async fn promise_9_how_stale_a_page_may_be_is_for_the_request_to_say() {
    let table = [
        ("max-stale=19", false),
        ("max-stale=20", true),
        ("max-stale", true),
        ("max-stale=-1", false),
        ("max-stale=99999999999999999999999999", true),
        ("max-stale, max-stale=19", false),
        ("stale-if-error=19", false),
        ("stale-if-error=20", true),
        ("stale-if-error=20, max-stale=19", false),
        // These two are about answers without a call: RFC 5861, section 4.
        ("max-age=0", true),
        ("min-fresh=50", true),
    ];
    let site = Site::new(Pages::new());
    site.says(&FRESH);
    site.get("/", &[]).await;
    pass(120).await;
    site.fails_with(503);
    for (says, is_stale) in table {
        let reply = site.get("/", &[("cache-control", says)]).await;
        assert_eq!(reply.is_kept(), is_stale, "{says}");
    }
}

#[tokio::test(start_paused = true)]
async fn promise_9_a_get_with_a_body_passes_by_also_when_no_header_says_so() {
    let site = Site::new(Pages::new());
    site.says(&FRESH);
    let body = || Full::<Bytes>::from("body");
    let with_body = || Request::builder().uri("/").body(body()).unwrap();
    assert!(!site.send(with_body()).await.unwrap().is_kept());
    assert!(!site.get("/", &[]).await.is_kept(), "what answered a body was kept");
    assert!(site.get("/", &[]).await.is_kept());
    assert!(!site.send(with_body()).await.unwrap().is_kept());
    assert_eq!(site.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn promise_9_what_passes_by_is_not_kept_either() {
    let table: &[&[(&str, &str)]] = &[
        &[("range", "bytes=0-1")],
        &[("cache-control", "no-store")],
        &[("authorization", "Bearer alice")],
        &[("cookie", "session=alice")],
    ];
    for headers in table {
        let site = Site::new(Pages::new());
        site.says(&FRESH);
        site.get("/", headers).await;
        assert!(site.cache.is_empty());
        assert!(!site.get("/", &[]).await.is_kept(), "{headers:?}");
        assert_eq!(site.cache.len(), 1);
    }
}
