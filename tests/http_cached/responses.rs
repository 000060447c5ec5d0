//! Which responses are kept.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::Version;
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use tokio::time::sleep;
use tower::{Layer, ServiceExt};
use tower_failover::{
    BoxError,
    fallback::{FallbackLayer, cached::Cached},
    http::cached::{BodyLayer, CacheLayer, Page, Pages, Staleness},
};

use crate::support::{Site, date, get, pass};

type Headers<'a> = &'a [(&'a str, &'a str)];

const FRESH: (&str, &str) = ("cache-control", "max-age=100");

#[tokio::test(start_paused = true)]
async fn promise_9_a_response_that_is_for_its_caller_only_is_not_kept() {
    let table: &[&[(&str, &str)]] = &[
        &[("cache-control", "max-age=100, private")],
        &[("cache-control", "max-age=100, Private")],
        &[("cache-control", "max-age=100, private=\"x-user\"")],
        &[("cache-control", "max-age=100, public, private")],
        &[FRESH, ("cache-control", "private")],
        &[("cache-control", "no-store")],
        &[("cache-control", "max-age=100, NO-STORE")],
        &[FRESH, ("cache-control", "no-store")],
        &[("cache-control", "no-store"), FRESH],
        &[FRESH, ("cache-control", "x=\"a, b\", no-store")],
        &[FRESH, ("cache-control", "no-store =x")],
        // Not readable, so it may say anything.
        &[FRESH, ("cache-control", "no-store\u{e9}")],
        &[FRESH, ("cache-control", "\u{80}")],
        &[FRESH, ("cache-control", "x=\"no end, no-store")],
        &[FRESH, ("cache-control", "x=\"a\"b, max-age=1")],
        &[FRESH, ("cache-control", "x\"=a")],
        &[FRESH, ("cache-control", "=a")],
        &[FRESH, ("cache-control", "no store")],
        &[FRESH, ("set-cookie", "session=alice")],
        &[("cache-control", "max-age=100, public"), ("set-cookie", "session=alice")],
        &[("cache-control", "max-age=100, immutable"), ("set-cookie", "")],
        &[FRESH, ("vary", "*")],
        &[FRESH, ("vary", "accept, *")],
        &[FRESH, ("vary", "accept"), ("vary", " * ,")],
        &[FRESH, ("vary", "a b")],
        &[FRESH, ("vary", "accept\u{e9}")],
        &[FRESH, ("connection", "a b")],
        &[FRESH, ("content-length", "5"), ("content-length", "6")],
        &[FRESH, ("content-length", "-6")],
        &[FRESH, ("content-length", "600")],
        &[FRESH, ("age", "100"), ("cache-control", "stale-if-error=0")],
        &[FRESH, ("age", "18446744073709551615")],
        &[FRESH, ("age", "99999999999999999999999")],
        &[FRESH, ("age", "-1")],
        &[FRESH, ("age", "1, 2")],
        &[FRESH, ("age", "\u{e9}")],
        &[FRESH, ("date", "Thu, 01 Jan 1970 00:00:00 GMT")],
    ];
    for headers in table {
        for site in [Site::new(Pages::new()), Site::new(Pages::new().public())] {
            site.says(headers);
            let first = site.get("/", &[]).await;
            assert!(site.cache.is_empty(), "{headers:?}");
            site.fails_with(503);
            let second = site.get("/", &[]).await;
            assert_eq!((second.status.as_u16(), site.calls()), (503, 2), "{headers:?}: {first:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn promise_9_a_response_that_only_looks_bad_is_kept() {
    let table: &[&[(&str, &str)]] = &[
        &[FRESH],
        &[("cache-control", "max-age=100, x=\"no-store, private\"")],
        &[("cache-control", "max-age=100, no-store-at-all, x-private")],
        &[FRESH, ("vary", ""), ("vary", ",")],
        &[FRESH, ("vary", "Accept, accept-language")],
        &[FRESH, ("content-length", "6")],
        &[FRESH, ("content-length", "6"), ("content-length", "6")],
        &[FRESH, ("age", "99")],
        &[FRESH, ("date", &date(1_000_000))],
        &[FRESH, ("date", "Fri, 31 Dec 9999 23:59:59 GMT")],
        &[FRESH, ("date", "never")],
        &[FRESH, ("expires", "never")],
        &[FRESH, ("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT")],
        &[FRESH, ("x-note", "\u{e9}")],
    ];
    for headers in table {
        let site = Site::new(Pages::new());
        site.says(headers);
        assert!(site.keeps(&[]).await, "{headers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn promise_9_only_whole_answers_with_a_known_status_are_kept() {
    for status in 100..1000 {
        let site = Site::new(Pages::new());
        site.says_with(status, &[FRESH]);
        let kept = [200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414];
        site.get("/", &[]).await;
        assert_eq!(site.cache.len() == 1, kept.contains(&status), "{status}");
        let site = Site::new(Pages::new());
        site.says_with(status, &[]);
        let kept = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414];
        site.get("/", &[]).await;
        assert_eq!(site.cache.len() == 1, kept.contains(&status), "{status} without a time");
    }
}

#[tokio::test(start_paused = true)]
async fn promise_9_the_answer_to_credentials_is_kept_for_others_only_if_it_says_so() {
    let alice = [("authorization", "Bearer alice")];
    let table = [
        ("max-age=100", false),
        ("max-age=100, must-revalidate", false),
        // Conflicting times are no leave to share.
        ("max-age=100, max-age=101", false),
        ("max-age=100, x=\"public\"", false),
        ("max-age=100, public", true),
        ("max-age=100, PUBLIC", true),
        ("s-maxage=100", true),
    ];
    for (says, is_shared) in table {
        let site = Site::new(Pages::new().public());
        site.says(&[("cache-control", says)]);
        let hers = site.get("/", &alice).await;
        let his = site.get("/", &[("authorization", "Bearer bob")]).await;
        assert_eq!(his.body == hers.body, is_shared, "{says}");
        let site = Site::new(Pages::new().principal(|_| Some(String::from("alice"))));
        site.says(&[("cache-control", says)]);
        assert!(site.keeps(&alice).await, "{says}");
    }
}

#[tokio::test(start_paused = true)]
async fn promise_9_a_page_comes_back_with_all_that_is_for_everybody() {
    let site = Site::new(Pages::new());
    let body = Bytes::from_static(b"body");
    site.answers(move |_| {
        let response = http::Response::builder()
            .status(203)
            .version(Version::HTTP_2)
            .header("cache-control", "max-age=100")
            .header("link", "</a>")
            .header("link", "</b>")
            .header("x-latin", b"\xe9".as_slice())
            .header("x-empty", "")
            .header("age", "7")
            .header("connection", "close, X-Hop")
            .header("x-hop", "1")
            .header("keep-alive", "timeout=5")
            .header("proxy-authenticate", "Basic")
            .header("te", "trailers")
            .header("upgrade", "h2c")
            .header("transfer-encoding", "chunked")
            .header("trailer", "x-sum");
        Ok(response.body(Full::from(body.clone()))?)
    });
    let first = site.get("/", &[]).await;
    assert_eq!(first.header("x-hop"), "1", "the first response is as the origin gave it");
    pass(3).await;
    let page = site.get("/", &[]).await;
    assert!(page.is_kept());
    assert_eq!((page.status.as_u16(), page.body.as_str()), (203, "body"));
    let links: Vec<_> = page.headers.get_all("link").iter().collect();
    assert_eq!(links, ["</a>", "</b>"]);
    assert_eq!(page.headers["x-latin"].as_bytes(), b"\xe9");
    assert_eq!(page.header("age"), "10");
    let mut names: Vec<_> = page.headers.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["age", "cache-control", "link", "trailer", "x-empty", "x-latin"]);
}

#[tokio::test(start_paused = true)]
async fn promise_8_what_is_too_long_is_passed_on_and_not_kept() {
    for (length, is_kept) in [(0, true), (1_000, true), (1_001, false), (1 << 20, false)] {
        let site = Site::new(Pages::new().body_limit(1_000));
        site.answers(move |_| {
            let body = Full::from(vec![b'a'; length]);
            Ok(http::Response::builder().header("cache-control", "max-age=9").body(body)?)
        });
        assert_eq!(site.get("/", &[]).await.body.len(), length);
        assert_eq!(site.get("/", &[]).await.is_kept(), is_kept, "{length}");
    }
}

#[tokio::test(start_paused = true)]
async fn promise_6_a_negative_answer_takes_the_place_of_a_good_page_only_if_it_says_for_how_long() {
    for status in [404, 405, 410, 414] {
        for (headers, shown) in [(&[][..], 200), (&[FRESH], status)] {
            let site = Site::new(Pages::new());
            site.says(&[]);
            site.get("/", &[]).await;
            pass(1).await;
            site.says_with(status, headers);
            assert_eq!(site.get("/", &[]).await.status, status);
            site.is_down();
            assert_eq!(site.get("/", &[]).await.status, shown, "{headers:?}");
            // Where there is nothing better, both are kept.
            site.says_with(status, headers);
            site.get("/other", &[]).await;
            site.is_down();
            assert_eq!(site.get("/other", &[]).await.status, status);
            // Nor is there anything better when the good page is past its end.
            pass(700).await;
            site.says_with(status, headers);
            site.get("/", &[]).await;
            site.is_down();
            assert_eq!(site.get("/", &[]).await.status, status);
        }
    }
}

/// The body does not know its length, the headers say one.
#[tokio::test(start_paused = true)]
async fn promise_8_a_body_that_is_not_as_long_as_its_headers_say_is_not_kept() {
    for (declared, is_kept) in [("4", true), ("3", false), ("5", false), ("", false)] {
        let origin = tower::service_fn(move |_: http::Request<Empty<Bytes>>| async move {
            let frames = ["bo", "dy"].map(|part| Ok::<_, BoxError>(Frame::data(Bytes::from(part))));
            let response = http::Response::builder().header("content-length", declared);
            Ok::<_, BoxError>(response.body(StreamBody::new(futures::stream::iter(frames)))?)
        });
        let (cache, _upkeep) = Page::cache("pages").build();
        let site = FallbackLayer::new(Cached::with(cache.clone(), Pages::new()))
            .layer(BodyLayer::new().layer(origin));
        let response = site.oneshot(get("/", &[])).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "body");
        assert_eq!(cache.len() == 1, is_kept, "{declared}");
    }
}

/// He had a stale page instead; nobody reads the body of the new one.
#[tokio::test(start_paused = true)]
async fn promise_8_a_response_whose_caller_has_left_is_read_to_its_end() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let origin = tower::service_fn(move |_: http::Request<Empty<Bytes>>| {
        let call = counted.fetch_add(1, Ordering::Relaxed);
        async move {
            sleep(Duration::from_secs(3)).await;
            let frames = [format!("page {call}"), String::from("!")];
            let frames = frames.map(|part| Ok::<_, BoxError>(Frame::data(Bytes::from(part))));
            let response = http::Response::builder().header("cache-control", "max-age=10");
            Ok::<_, BoxError>(response.body(StreamBody::new(futures::stream::iter(frames)))?)
        }
    });
    let layer = CacheLayer::new(Page::cache("pages").spawn(), Pages::new());
    let site = layer.soft_timeout(Duration::from_secs(1)).layer(origin);
    let ask = async || {
        let response = site.clone().oneshot(get("/", &[])).await.unwrap();
        let staleness = response.extensions().get::<Staleness>().cloned();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (body, staleness.map(|staleness| staleness.is_fresh()))
    };
    assert_eq!(ask().await, ("page 0!".into(), None));
    pass(20).await;
    assert_eq!(ask().await, ("page 0!".into(), Some(false)));
    sleep(Duration::from_secs(3)).await;
    assert_eq!(ask().await, ("page 1!".into(), Some(true)));
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}

/// The classifier says that only errors are failures, so the cache is asked to keep them.
#[tokio::test(start_paused = true)]
async fn promise_9_a_5xx_is_not_kept_where_it_is_no_failure_either() {
    let mut asked = 0;
    for status in 400..600 {
        let origin = tower::service_fn(move |_: http::Request<Empty<Bytes>>| async move {
            let response = http::Response::builder().header("cache-control", "max-age=100");
            Ok::<_, BoxError>(response.status(status).body(Full::<Bytes>::from("answer"))?)
        });
        let (cache, _upkeep) = Page::cache("pages").build();
        let site = FallbackLayer::new(Cached::with(cache.clone(), Pages::new()))
            .layer(BodyLayer::new().layer(origin));
        let response = site.oneshot(get("/", &[])).await.unwrap();
        response.into_body().collect().await.unwrap();
        asked += 1;
        assert_eq!(cache.len() == 1, [404, 405, 410, 414].contains(&status), "{status}");
    }
    assert_eq!(asked, 200);
}

/// One after the other would wait for the next: nobody could be given a copy.
#[tokio::test(start_paused = true)]
async fn promise_8_callers_of_a_page_that_is_too_large_do_not_wait_for_each_other_twice() {
    for declares in [true, false] {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let origin = tower::service_fn(move |_: http::Request<Empty<Bytes>>| {
            counted.fetch_add(1, Ordering::Relaxed);
            async move {
                sleep(Duration::from_secs(1)).await;
                let part = || Ok::<_, BoxError>(Frame::data(Bytes::from_static(&[b'x'; 60])));
                let body = StreamBody::new(futures::stream::iter([part(), part()]));
                let response = http::Response::builder().header("cache-control", "max-age=10");
                let response =
                    if declares { response.header("content-length", 120) } else { response };
                Ok::<_, BoxError>(response.body(body)?)
            }
        });
        let pages = Pages::new().body_limit(100);
        let site = CacheLayer::new(Page::cache("pages").spawn(), pages).layer(origin);
        for (expected, made) in [(2, 10), (1, 20)] {
            let began = tokio::time::Instant::now();
            let ask = || async {
                let response = site.clone().oneshot(get("/", &[])).await.unwrap();
                response.into_body().collect().await.unwrap().to_bytes().len()
            };
            let lengths = futures::future::join_all((0..10).map(|_| ask())).await;
            assert_eq!(lengths, [120; 10]);
            assert_eq!(began.elapsed(), Duration::from_secs(expected), "declares: {declares}");
            assert_eq!(calls.load(Ordering::Relaxed), made);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn promise_9_what_the_origin_takes_back_is_not_served_stale() {
    let no_store = ("cache-control", "no-store");
    let table: &[(u16, Headers, bool)] = &[
        (200, &[("cache-control", "private")], true),
        (200, &[no_store], true),
        (200, &[("cache-control", "no-cache")], true),
        (200, &[FRESH, ("set-cookie", "session=alice")], true),
        (200, &[FRESH, ("vary", "*")], true),
        (302, &[], true),
        (401, &[], true),
        (403, &[], true),
        (404, &[no_store], true),
        (410, &[no_store], true),
        (451, &[no_store], true),
        // What is said of one request, or not by the origin, or what only a limit here forbids.
        (400, &[], false),
        (408, &[], false),
        (429, &[], false),
        (304, &[], false),
        (500, &[no_store], false),
        (503, &[no_store], false),
        (200, &[FRESH, ("x-long", &"a".repeat(40 << 10))], false),
    ];
    for (status, headers, is_gone) in table {
        let site = Site::new(Pages::new());
        site.says(&[FRESH]);
        let good = site.get("/", &[]).await;
        pass(200).await;
        site.says_with(*status, headers);
        site.get("/", &[]).await;
        assert_eq!(site.cache.is_empty(), *is_gone, "{status} {headers:?}");
        site.fails_with(503);
        let reply = site.get("/", &[]).await;
        assert_eq!(reply.body != good.body, *is_gone, "{status} {headers:?}");
    }
}

/// It is no word about the pages of those who do not say who they are.
#[tokio::test(start_paused = true)]
async fn promise_9_an_answer_to_credentials_takes_back_only_what_it_says_itself() {
    for (says, is_gone) in [("max-age=100", false), ("private", true)] {
        let site = Site::new(Pages::new().public());
        site.says(&[FRESH]);
        site.get("/", &[]).await;
        pass(200).await;
        site.says(&[("cache-control", says)]);
        site.get("/", &[("authorization", "Bearer alice")]).await;
        assert_eq!(site.cache.is_empty(), is_gone, "{says}");
    }
}

#[tokio::test(start_paused = true)]
async fn promise_8_a_page_that_is_past_its_end_with_its_last_byte_is_for_its_caller_only() {
    let (called, mut calls) = tokio::sync::mpsc::unbounded_channel();
    let origin = tower::service_fn(move |_: http::Request<Empty<Bytes>>| {
        called.send(()).unwrap();
        async {
            sleep(Duration::from_secs(5)).await;
            let response = http::Response::builder();
            let response = response.header("cache-control", "max-age=1, must-revalidate");
            Ok::<_, BoxError>(response.body(Full::<Bytes>::from("page"))?)
        }
    });
    let site = CacheLayer::new(Page::cache("pages").spawn(), Pages::new()).layer(origin);
    let first = site.clone().oneshot(get("/", &[]));
    let reader = async { first.await.unwrap().into_body().collect().await.unwrap().to_bytes() };
    let waiter = async {
        sleep(Duration::from_millis(500)).await;
        site.oneshot(get("/", &[])).await.unwrap()
    };
    let (read, waited) = tokio::join!(reader, waiter);
    assert_eq!(read, "page");
    assert!(waited.headers().get("age").is_none(), "{:?}", waited.headers());
    let mut count = 0;
    while calls.try_recv().is_ok() {
        count += 1;
    }
    assert_eq!(count, 2, "the waiter had a call of his own");
}

#[tokio::test(start_paused = true)]
async fn promise_6_more_headers_than_a_map_has_room_for_harm_nothing() {
    let names: Vec<_> = (0..23_000).map(|n| format!("x-{n}")).collect();
    let lines: Vec<_> = (0..40_000).map(|_| ("x-a", "1")).chain([FRESH]).collect();
    let names: Vec<_> = names.iter().map(|name| (name.as_str(), "")).chain([FRESH]).collect();
    for headers in [lines, names] {
        let site = Site::new(Pages::new().head_limit(64 << 20));
        site.says(&headers);
        for _ in 0..2 {
            let reply = site.get("/", &[]).await;
            assert_eq!(reply.headers.len(), headers.len() + usize::from(reply.is_kept()));
        }
        assert!(site.cache.len() == 1 || site.calls() == 2);
    }
}
