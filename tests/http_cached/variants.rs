//! Answers that differ by headers of the request.

use http::HeaderValue;
use tower_failover::http::cached::Pages;

use crate::support::{Site, get, pass};

type Headers<'a> = &'a [(&'a str, &'a str)];

#[tokio::test(start_paused = true)]
async fn promise_9_a_page_answers_only_requests_with_the_same_values_of_what_it_varies_by() {
    let table: &[(&str, Headers, Headers, bool)] = &[
        ("accept", &[("accept", "a")], &[("accept", "a")], true),
        ("accept", &[("accept", "a")], &[("accept", "b")], false),
        ("accept", &[("accept", "a")], &[("accept", "A")], false),
        ("accept", &[("accept", "a")], &[], false),
        ("accept", &[], &[("accept", "")], false),
        ("accept", &[], &[("x-other", "a")], true),
        ("Accept", &[("accept", "a")], &[("accept", "b")], false),
        ("x-a, x-b", &[("x-a", "1")], &[("x-b", "1")], false),
        ("x-a, x-b", &[("x-a", "1"), ("x-b", "2")], &[("x-b", "2"), ("x-a", "1")], true),
        ("x-a, x-b", &[("x-a", "1"), ("x-b", "2")], &[("x-a", "1"), ("x-b", "3")], false),
        // All lines count, not the first only.
        ("x-a", &[("x-a", "1"), ("x-a", "2")], &[("x-a", "1")], false),
        ("x-a", &[("x-a", "1"), ("x-a", "2")], &[("x-a", "1"), ("x-a", "3")], false),
        ("x-a", &[("x-a", "1"), ("x-a", "2")], &[("x-a", "2"), ("x-a", "1")], false),
        ("x-a", &[("x-a", "1"), ("x-a", "2")], &[("x-a", "1, 2")], false),
        ("x-a", &[("x-a", "1"), ("x-a", "2")], &[("x-a", "1"), ("x-a", "2")], true),
        ("x-a", &[("x-a", "\u{e9}")], &[("x-a", "\u{ea}")], false),
        ("x-a", &[("x-a", "\u{e9}")], &[("x-a", "\u{e9}")], true),
        (
            "cookie",
            &[("cookie", "a=1"), ("cookie", "u=alice")],
            &[("cookie", "a=1"), ("cookie", "u=bob")],
            false,
        ),
        ("cookie", &[("cookie", "u=alice")], &[("cookie", "u=alice")], true),
        ("authorization", &[("cookie", "u=alice")], &[("authorization", "bob")], false),
    ];
    for (vary, one, other, is_same) in table {
        let site = Site::new(Pages::new().public());
        site.says(&[("cache-control", "max-age=100"), ("vary", vary)]);
        let first = site.get("/", one).await;
        assert!(!first.is_kept());
        assert_eq!(
            site.get("/", other).await.body == first.body,
            *is_same,
            "{vary} {one:?} {other:?}"
        );
        assert_eq!(site.get("/", one).await.body, first.body, "{vary} {one:?}");
        pass(150).await;
        site.fails_with(503);
        let stale = site.get("/", one).await;
        assert_eq!((stale.body.as_str(), stale.is_kept()), (first.body.as_str(), true));
        let reply = site.get("/", other).await;
        assert!(reply.status == 503 || (reply.body == first.body) == *is_same, "{reply:?}");
    }
}

/// Two answers of one target, of which only the first varies: the second request has no variant.
#[tokio::test(start_paused = true)]
async fn promise_9_a_stale_page_is_checked_again_against_a_request_that_did_not_know_of_vary() {
    let site = Site::new(Pages::new().public());
    site.answers(|request| {
        let response = http::Response::builder().header("cache-control", "max-age=10");
        let name = request.headers.get("cookie").map_or("nobody", |name| name.to_str().unwrap());
        Ok(response.header("vary", "cookie").body(name.to_owned().into())?)
    });
    assert_eq!(site.get("/", &[("cookie", "alice")]).await.body, "alice");
    assert_eq!(site.get("/", &[("cookie", "bob")]).await.body, "bob");
    pass(20).await;
    site.is_down();
    assert_eq!(site.get("/", &[("cookie", "alice")]).await.body, "alice");
    assert_eq!(site.get("/", &[("cookie", "bob")]).await.body, "bob");
    assert!(site.ask(get("/", &[("cookie", "eve")])).await.is_err());
    assert!(site.ask(get("/", &[])).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn promise_9_what_a_target_varies_by_may_change_and_no_variant_is_mixed_up() {
    let site = Site::new(Pages::new().public());
    let ask = async |vary: &'static str, headers: Headers<'_>| {
        site.says(&[("cache-control", "max-age=1000"), ("vary", vary)]);
        site.get("/", headers).await
    };
    let by_a = ask("x-a", &[("x-a", "1"), ("x-b", "1")]).await;
    assert!(ask("", &[("x-a", "1"), ("x-b", "2")]).await.is_kept());
    let by_b = ask("x-b", &[("x-a", "2"), ("x-b", "1")]).await;
    assert!(!by_b.is_kept());
    // Now both are known: what was kept before cannot be found by one of them alone.
    let both = ask("x-a", &[("x-a", "1"), ("x-b", "2")]).await;
    assert_ne!(both.body, by_b.body);
    let again = ask("x-b", &[("x-a", "2"), ("x-b", "1")]).await;
    assert_eq!(again.body, by_b.body);
    assert_ne!(by_a.body, by_b.body);
}

#[tokio::test(start_paused = true)]
async fn promise_9_a_name_and_a_value_are_not_taken_for_each_other() {
    let site = Site::new(Pages::new().public());
    site.answers(|request| {
        let body = format!("{:?}", request.headers);
        let response = http::Response::builder().header("cache-control", "max-age=100");
        Ok(response.header("vary", "a, b").body(body.into())?)
    });
    let values = ["", "=", ";", "a", "b", "=;b", "1;b=1"];
    let mut seen = std::collections::HashMap::new();
    for a in values {
        for b in values {
            for is_split in [false, true] {
                let mut request = get("/", &[("a", a), ("b", b)]);
                if is_split {
                    request.headers_mut().append("a", HeaderValue::from_static("x"));
                }
                let expected = format!("{:?}", request.headers());
                let reply = site.ask(request).await.unwrap();
                assert_eq!(reply.body, expected);
                assert!(seen.insert(expected, ()).is_none());
            }
        }
    }
    assert_eq!((seen.len(), site.calls(), site.cache.len()), (98, 98, 98));
}

#[tokio::test(start_paused = true)]
async fn promise_6_as_many_targets_that_vary_are_known_as_the_setting_says() {
    for (limit, are_all_found) in [(1 << 20, true), (4 << 10, false)] {
        let site = Site::new(Pages::new().vary_limit(limit));
        site.says(&[("cache-control", "max-age=100"), ("vary", "accept")]);
        let (mut found, accept) = (0, [("accept", "text/html")]);
        for n in 0..1_000 {
            site.get(&format!("/{n}"), &accept).await;
        }
        assert_eq!(site.cache.len(), 1_000);
        for n in (0..1_000).rev() {
            found += usize::from(site.get(&format!("/{n}"), &accept).await.is_kept());
        }
        assert_eq!(found == 1_000, are_all_found, "{found}");
        assert!(found > 0);
    }
}
