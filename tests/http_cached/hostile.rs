//! Origins and callers that mean harm.

use http::HeaderValue;
use tower_failover::http::cached::Pages;

use crate::support::{Site, get};

const FRESH: (&str, &str) = ("cache-control", "max-age=100");

#[tokio::test(start_paused = true)]
async fn promise_6_ten_megabytes_of_headers_are_passed_on_and_not_kept() {
    let site = Site::new(Pages::new());
    let long = "a".repeat(10 << 20);
    for headers in [
        vec![FRESH, ("x-long", long.as_str())],
        vec![("cache-control", long.as_str()), FRESH],
        vec![FRESH, ("vary", long.as_str())],
        vec![FRESH, ("connection", long.as_str())],
        vec![FRESH, ("cache-tag", long.as_str())],
    ] {
        site.says(&headers);
        let reply = site.get("/", &[]).await;
        assert!(reply.headers.values().any(|value| value.len() == long.len()));
        assert!(site.cache.is_empty());
    }
    let many: Vec<_> = (0..20_000).map(|n| format!("x-{n}")).collect();
    let many: Vec<_> = many.iter().map(|name| (name.as_str(), "")).chain([FRESH]).collect();
    site.says(&many);
    assert_eq!(site.get("/", &[]).await.headers.len(), 20_001);
    assert!(site.cache.is_empty());
    // The same without the length is kept.
    site.says(&[FRESH, ("x-long", "a")]);
    assert!(site.keeps(&[]).await);
}

#[tokio::test(start_paused = true)]
async fn promise_6_the_limit_of_the_head_is_where_the_setting_says() {
    let site = Site::new(Pages::new().head_limit(1_000));
    let own = "cache-control".len() + "max-age=100".len() + "x-long".len() + 2 * 32;
    for (length, is_kept) in [(1_000 - own, true), (1_001 - own, false)] {
        site.says(&[FRESH, ("x-long", &"a".repeat(length))]);
        site.get("/", &[]).await;
        assert_eq!(site.cache.len() == 1, is_kept);
        site.cache.invalidate_all();
    }
}

#[tokio::test(start_paused = true)]
async fn promise_6_thousands_of_names_in_vary_are_kept_for_nobody() {
    let site = Site::new(Pages::new());
    let names = |count| (0..count).map(|n| format!("x-{n}")).collect::<Vec<_>>().join(",");
    for (vary, is_kept) in [
        (names(16), true),
        (names(17), false),
        (names(3_000), false),
        (format!("x-{}", "a".repeat(62)), true),
        (format!("x-{}", "a".repeat(63)), false),
    ] {
        site.says(&[FRESH, ("vary", &vary)]);
        site.get("/", &[]).await;
        assert_eq!(site.cache.len() == 1, is_kept, "{} bytes", vary.len());
        site.cache.invalidate_all();
    }
    // Another sixteen each time: what is known of the target does not grow.
    for round in 0..100 {
        let vary = (0..16).map(|n| format!("x-{round}-{n}")).collect::<Vec<_>>().join(",");
        site.says(&[FRESH, ("vary", &vary)]);
        let first = site.get("/", &[("accept", &round.to_string())]).await;
        assert!(!first.is_kept(), "{round}");
        assert!(site.get("/", &[]).await.is_kept(), "{round}");
        site.cache.invalidate_all();
    }
}

#[tokio::test(start_paused = true)]
async fn promise_6_a_request_with_ten_megabytes_of_what_a_page_varies_by_passes_by() {
    let site = Site::new(Pages::new().public());
    site.says(&[FRESH, ("vary", "cookie")]);
    for length in [10 << 20, 10 << 20, 9_000, 9_000] {
        let long = "a".repeat(length);
        assert!(!site.get("/", &[("cookie", &long)]).await.is_kept());
    }
    assert_eq!((site.cache.len(), site.calls()), (0, 4));
    assert!(site.keeps(&[("cookie", "short")]).await);
}

#[tokio::test(start_paused = true)]
async fn promise_6_what_a_page_holds_is_counted() {
    let site = Site::new(Pages::new().public());
    let mut weights = Vec::new();
    for bigger in 0..5 {
        let part = |n| "a".repeat(if n == bigger { 1_000 } else { 0 });
        let (header, body) = (part(0), part(1));
        site.cache.invalidate_all();
        site.answers(move |_| {
            let response = http::Response::builder().header("cache-control", "max-age=9");
            let response = response.header("x-long", &header).header("vary", "x-vary");
            Ok(response.body(body.clone().into())?)
        });
        site.get(&format!("/{}", part(2)), &[("x-vary", &part(3))]).await;
        assert_eq!(site.cache.len(), 1);
        weights.push(site.cache.weight());
    }
    let least = weights.pop().unwrap();
    assert!(least > 300, "{least}");
    for weight in weights {
        assert!(weight >= least + 1_000, "{weight} {least}");
    }
}

#[tokio::test(start_paused = true)]
async fn promise_9_every_byte_in_every_place_of_a_directive_forbids_or_means_nothing() {
    let mut kept = 0;
    for byte in (0..=255_u8).filter(|byte| HeaderValue::from_bytes(&[*byte]).is_ok()) {
        for text in ["no-store", "private"] {
            for at in 0..=text.len() {
                let mut value = b"max-age=100, ".to_vec();
                value.extend_from_slice(&text.as_bytes()[..at]);
                value.push(byte);
                value.extend_from_slice(&text.as_bytes()[at..]);
                let site = Site::new(Pages::new());
                let header = HeaderValue::from_bytes(&value).unwrap();
                site.answers(move |_| {
                    let response = http::Response::builder().header("cache-control", &header);
                    Ok(response.body("".into())?)
                });
                site.get("/", &[]).await;
                let is_other_word = byte.is_ascii_graphic() && !matches!(byte, b',' | b'=' | b'"');
                kept += site.cache.len();
                // At the ends a comma, space or `=` leaves the word as it is; inside it makes two.
                let is_inside = 0 < at && at < text.len();
                if !is_other_word && !is_inside {
                    assert!(site.cache.is_empty(), "{}", String::from_utf8_lossy(&value));
                }
                if !byte.is_ascii() {
                    assert!(site.cache.is_empty(), "{}", String::from_utf8_lossy(&value));
                }
            }
        }
    }
    assert!(kept > 1_000, "{kept}");
}

#[tokio::test(start_paused = true)]
async fn promise_9_noise_in_every_header_that_is_read_harms_nothing() {
    let names = [
        "age",
        "cache-control",
        "connection",
        "content-length",
        "date",
        "expires",
        "pragma",
        "vary",
        "set-cookie",
        "host",
        "cookie",
        "cache-tag",
    ];
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let site = Site::new(Pages::new().public().tags_from("cache-tag".parse().unwrap()));
    let words = [
        "max-age",
        "=",
        "\"",
        ",",
        "no-store",
        "\\",
        "*",
        "99999999999999999999",
        "-1",
        "\u{ff}",
        ";",
        "0",
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "accept",
        " ",
        "\t",
        "stale-if-error",
        "18446744073709551615",
        "s-maxage",
        "min-fresh",
        "max-stale",
        "Thursday, 01-Jan-70 00:00:00 GMT",
    ];
    let mut asked = 0;
    for _ in 0..5_000 {
        let mut noise = || -> Vec<(&str, String)> {
            (0..random.usize(0..5))
                .map(|_| {
                    let length = random.usize(0..6);
                    let text: String =
                        (0..length).map(|_| words[random.usize(0..words.len())]).collect();
                    (names[random.usize(0..names.len())], text)
                })
                .collect()
        };
        let (says, asks) = (noise(), noise());
        site.says(&says.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>());
        let asks: Vec<_> = asks.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let reply = site.ask(get("/", &asks)).await.unwrap();
        assert_eq!(reply.status, 200);
        asked += 1;
    }
    assert!(asked == 5_000 && site.cache.len() <= asked);
}
