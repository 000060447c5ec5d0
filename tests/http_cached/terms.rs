//! For how long.

use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt, Empty, StreamBody};
use tokio::time::sleep;
use tower::{ServiceBuilder, ServiceExt};
use tower_failover::{
    BoxError,
    fallback::{FallbackLayer, Source, cached::Cached},
    http::cached::{BodyLayer, Page, Pages},
};

use crate::support::{Site, date, get, pass};

/// Seconds, and how the page is then.
type Lives<'a> = &'a [(u64, char)];

/// After each of these seconds, what the caller of a failing origin gets: `f`resh, `s`tale or
/// nothing.
async fn lives(site: &Site, headers: &[(&str, &str)], expected: Lives<'_>) {
    site.cache.invalidate_all();
    site.says(headers);
    let first = site.get("/", &[]).await;
    assert_eq!(first.source, Source::Primary, "{headers:?}");
    site.fails_with(503);
    let mut passed = 0;
    for (at, condition) in expected {
        pass(at - passed).await;
        passed = *at;
        let reply = site.ask(get("/", &[])).await.unwrap();
        let found = match reply.staleness {
            Some(staleness) if staleness.is_fresh() => 'f',
            Some(_) => 's',
            None => '-',
        };
        assert_eq!(found, *condition, "{headers:?} after {at} s");
        if found == '-' {
            assert_eq!(reply.status, 503);
        } else {
            assert_eq!((reply.status.as_u16(), &reply.body), (200, &first.body));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn promise_9_must_show_2_stale_if_error_is_obeyed_to_the_second() {
    let site = Site::new(Pages::new());
    let says = [("cache-control", "max-age=10, stale-if-error=30")];
    lives(&site, &says, &[(0, 'f'), (9, 'f'), (10, 's'), (39, 's'), (40, '-')]).await;
    for seconds in [1, 2, 7, 59, 3600] {
        let says = format!("max-age=5, stale-if-error={seconds}");
        let end = 5 + seconds;
        let expected = [(4, 'f'), (5, 's'), (end - 1, 's'), (end, '-')];
        lives(&site, &[("cache-control", &says)], &expected).await;
    }
}

#[tokio::test(start_paused = true)]
async fn promise_9_must_show_2_must_revalidate_with_a_503_is_an_error_and_not_a_stale_page() {
    let site = Site::new(Pages::new());
    let kin = [
        "must-revalidate",
        "proxy-revalidate",
        "Must-Revalidate",
        "must-revalidate, stale-if-error=600",
        "proxy-revalidate, stale-if-error=600",
        "s-maxage=10",
        "s-maxage=10, stale-if-error=600",
    ];
    for word in kin {
        let says = format!("max-age=10, {word}");
        lives(&site, &[("cache-control", &says)], &[(9, 'f'), (10, '-'), (11, '-')]).await;
    }
    // The same without the word, so that it is the word that forbids.
    lives(&site, &[("cache-control", "max-age=10")], &[(9, 'f'), (10, 's')]).await;
    assert!(site.calls() > kin.len() * 2);
}

#[tokio::test(start_paused = true)]
async fn promise_9_no_cache_is_neither_fresh_nor_stale() {
    let site = Site::new(Pages::new());
    for says in [
        ("cache-control", "no-cache"),
        ("cache-control", "max-age=100, No-Cache"),
        ("cache-control", "max-age=100, no-cache=\"x-secret\""),
        ("cache-control", "no-cache, stale-if-error=100"),
        ("pragma", "no-cache"),
    ] {
        lives(&site, &[says], &[(0, '-'), (1, '-')]).await;
    }
    lives(&site, &[("pragma", "no-cache"), ("cache-control", "max-age=9")], &[(0, 'f')]).await;
}

#[tokio::test(start_paused = true)]
async fn promise_5_a_response_that_says_nothing_is_never_fresh_and_ten_minutes_stale() {
    let site = Site::new(Pages::new());
    lives(&site, &[], &[(0, 's'), (599, 's'), (600, '-')]).await;
    let site = Site::new(Pages::new().stale_for(Duration::ZERO));
    lives(&site, &[], &[(0, '-')]).await;
    lives(&site, &[("cache-control", "stale-if-error=3")], &[(2, 's'), (3, '-')]).await;
    let site = Site::new(Pages::new().fresh_for(Duration::from_secs(5)));
    lives(&site, &[], &[(4, 'f'), (5, 's')]).await;
    lives(&site, &[("cache-control", "max-age=1")], &[(0, 'f'), (1, 's')]).await;
    lives(&site, &[("last-modified", &date(-1_000_000))], &[(4, 'f'), (5, 's')]).await;
}

#[tokio::test(start_paused = true)]
async fn promise_5_a_fresh_time_is_what_the_origin_says_and_doubt_shortens_it() {
    let site = Site::new(Pages::new());
    let table: &[(&[(&str, &str)], u64)] = &[
        (&[("cache-control", "max-age=7")], 7),
        (&[("cache-control", "MAX-AGE=7")], 7),
        (&[("cache-control", "max-age=\"7\"")], 7),
        (&[("cache-control", " ,, public ,\tmax-age=7 ,")], 7),
        (&[("cache-control", "max-age=7, max-age=5")], 5),
        (&[("cache-control", "max-age=5"), ("cache-control", "max-age=7")], 5),
        (&[("cache-control", "x=\"a, max-age=100\", max-age=7")], 7),
        (&[("cache-control", "max-age=7, x=\"a\\\", max-age=1\"")], 7),
        (&[("cache-control", "max-age=-1")], 0),
        (&[("cache-control", "max-age=1.5")], 0),
        (&[("cache-control", "max-age=")], 0),
        (&[("cache-control", "max-age")], 0),
        (&[("cache-control", "max-age=7, max-age=-1")], 0),
        (&[("cache-control", "max-age=7, s-maxage=5")], 5),
        (&[("cache-control", "max-age=5, s-maxage=7")], 7),
        (&[("cache-control", "max-age=5, s-maxage=-1")], 0),
        (&[("cache-control", "max-age=7"), ("age", "3")], 4),
        (&[("cache-control", "max-age=7"), ("age", "3"), ("age", "5")], 2),
        (&[("cache-control", "max-age=7"), ("expires", "0")], 7),
        (&[("expires", "0")], 0),
        (&[("expires", "-1"), ("cache-control", "public")], 0),
        (&[("cache-control", "immutable")], 0),
    ];
    for (says, seconds) in table {
        if *seconds > 0 {
            lives(
                &site,
                says,
                &[(seconds - 1, 'f'), (*seconds, if tail(says) { '-' } else { 's' })],
            )
            .await;
        } else {
            lives(&site, says, &[(0, if tail(says) { '-' } else { 's' })]).await;
        }
    }
}

/// Whether it may not be served stale.
fn tail(says: &[(&str, &str)]) -> bool {
    says.iter().any(|(_, value)| value.contains("s-maxage"))
}

#[tokio::test(start_paused = true)]
async fn promise_5_an_expiry_counts_from_the_date_of_the_response() {
    let site = Site::new(Pages::new());
    let table: &[(i64, i64, Lives)] = &[
        (0, 100, &[(90, 'f'), (101, 's')]),
        (-50, 50, &[(40, 'f'), (51, 's')]),
        // The clock of the origin is ahead.
        (1_000, 1_100, &[(90, 'f'), (101, 's')]),
        (0, -5, &[(0, 's')]),
        // So old that not even its stale time is left.
        (-10_000, -9_000, &[(0, '-')]),
    ];
    for (dated, expires, expected) in table {
        let says = [("date", date(*dated)), ("expires", date(*expires))];
        let says: Vec<_> = says.iter().map(|(name, value)| (*name, value.as_str())).collect();
        lives(&site, &says, expected).await;
    }
    lives(&site, &[("expires", &date(100))], &[(90, 'f'), (101, 's')]).await;
    lives(&site, &[("expires", "tomorrow")], &[(0, 's')]).await;
    lives(&site, &[("expires", &date(100)), ("expires", &date(200))], &[(0, 's')]).await;
    lives(&site, &[("expires", &date(100)), ("date", "yesterday")], &[(0, 's')]).await;
}

#[tokio::test(start_paused = true)]
async fn promise_5_a_response_is_as_old_as_its_date_or_its_age_says() {
    let site = Site::new(Pages::new());
    let says = "max-age=100";
    lives(&site, &[("cache-control", says), ("date", &date(-60))], &[(38, 'f'), (41, 's')]).await;
    let both = [("cache-control", says), ("date", &date(-60)), ("age", "80")];
    lives(&site, &both, &[(19, 'f'), (20, 's')]).await;
}

#[tokio::test(start_paused = true)]
async fn promise_5_nothing_is_kept_for_longer_than_the_settings_allow() {
    let pages = Pages::new()
        .longest_fresh_for(Duration::from_secs(20))
        .longest_stale_for(Duration::from_secs(30));
    let site = Site::new(pages);
    for number in ["31536000", "2147483648", "18446744073709551615", "99999999999999999999999999"] {
        let says = format!("max-age={number}, stale-if-error={number}");
        lives(&site, &[("cache-control", &says)], &[(19, 'f'), (20, 's'), (49, 's'), (50, '-')])
            .await;
    }
    let far = [("expires", "Fri, 31 Dec 9999 23:59:59 GMT")];
    lives(&site, &far, &[(19, 'f'), (20, 's')]).await;
}

#[tokio::test(start_paused = true)]
async fn promise_5_a_page_tells_its_age_in_whole_seconds() {
    let site = Site::new(Pages::new());
    site.says(&[("cache-control", "max-age=10, stale-if-error=10")]);
    let first = site.get("/", &[]).await;
    pass(4).await;
    let reply = site.get("/", &[]).await;
    assert_eq!(reply.body, first.body);
    assert_eq!(reply.header("age"), "4");
    let staleness = reply.staleness.unwrap();
    assert!(staleness.is_fresh() && !staleness.is_stale());
    assert_eq!(staleness.age(), Some(Duration::from_secs(4)));
    site.is_down();
    pass(9).await;
    let reply = site.get("/", &[]).await;
    assert_eq!(reply.header("age"), "13");
    assert!(reply.staleness.unwrap().is_stale());
}

/// Three seconds to the head, two more to the end of the body.
#[tokio::test(start_paused = true)]
async fn promise_5_the_time_from_the_call_to_the_end_of_the_body_is_part_of_the_age() {
    let origin = tower::service_fn(async |_: http::Request<Empty<Bytes>>| {
        sleep(Duration::from_secs(3)).await;
        let body = StreamBody::new(futures::stream::once(async {
            sleep(Duration::from_secs(2)).await;
            Ok::<_, BoxError>(Frame::data(Bytes::from_static(b"slow")))
        }));
        let response = http::Response::builder().header("cache-control", "max-age=10");
        Ok::<_, BoxError>(response.header("content-length", "4").body(Box::pin(body))?)
    });
    let (cache, _upkeep) = Page::cache("pages").build();
    let site = ServiceBuilder::new()
        .layer(FallbackLayer::new(Cached::with(cache, Pages::new())).served())
        .layer(BodyLayer::new())
        .service(origin);
    for (wait, age) in [(0, None), (4, Some(9)), (1, None)] {
        pass(wait).await;
        let served = site.clone().oneshot(get("/", &[])).await.unwrap();
        let source =
            age.map_or(Source::Primary, |age| Source::Cache { age: Duration::from_secs(age) });
        assert_eq!(served.source(), source);
        served.into_inner().into_body().collect().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn promise_5_stale_answers_first_call_the_origin() {
    let site = Site::new(Pages::new()).only_stale();
    site.says(&[("cache-control", "max-age=100")]);
    assert!(!site.get("/", &[]).await.is_kept());
    pass(1).await;
    let second = site.get("/", &[]).await;
    assert_eq!((second.body.as_str(), site.calls()), ("page 2", 2));
    site.is_down();
    let third = site.get("/", &[]).await;
    assert_eq!((third.body.as_str(), site.calls()), ("page 2", 3));
}
