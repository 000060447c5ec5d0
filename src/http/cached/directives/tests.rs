use proptest::prelude::*;

use super::*;

fn read(lines: &[&str]) -> Directives {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(CACHE_CONTROL, HeaderValue::from_bytes(line.as_bytes()).unwrap());
    }
    Directives::read(&headers)
}

fn time(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

#[test]
fn every_word_is_read_in_any_case_and_on_any_line() {
    let all = [
        "No-Store, NO-CACHE ,private=\"a, b\"",
        "",
        "Public;Max-Age",
        " , pubLic,\tMust-Revalidate",
        "max-age=\"1\", S-MaxAge=2,stale-if-error = 3, min-fresh=4, max-stale=5",
    ];
    let mut all: Vec<_> = all.to_vec();
    assert!(read(&all).no_store, "`;` is no part of a token");
    assert!(!read(&all).public);
    all.remove(2);
    let expected = Directives {
        no_store: true,
        no_cache: true,
        private: true,
        public: true,
        revalidate: true,
        max_age: time(1),
        s_maxage: time(2),
        stale_if_error: time(3),
        min_fresh: time(4),
        max_stale: time(5),
    };
    assert_eq!(read(&all), expected);
    assert_eq!(read(&["proxy-REVALIDATE"]).revalidate, expected.revalidate);
    assert_eq!(read(&[]), Directives::default());
    assert_eq!(read(&["unknown, x=1, y=\"no-store, private\""]), Directives::default());
}

#[test]
fn of_several_times_the_one_that_forbids_most_is_taken() {
    assert_eq!(read(&["max-age=3, max-age=2", "max-age=4"]).max_age, time(2));
    assert_eq!(read(&["max-age=3, max-age=x"]).max_age, time(0));
    assert_eq!(read(&["min-fresh=3, min-fresh=2", "min-fresh=1"]).min_fresh, time(3));
    assert_eq!(read(&["min-fresh=3, min-fresh=x"]).min_fresh, Some(LONGEST));
    assert_eq!(read(&["max-stale, max-stale=2"]).max_stale, time(2));
    assert_eq!(read(&["max-stale"]).max_stale, Some(LONGEST));
}

#[test]
fn what_is_no_list_of_directives_forbids_to_store() {
    let bad =
        ["a\"", "a=\"", "a=b\"c\"", "a=\"b\"c", "a b", "=a", "a, =", "\u{e9}", "a=\"\\\"", "\""];
    for line in bad {
        assert!(read(&[line]).no_store, "{line}");
        assert!(read(&["max-age=1", line]).no_store, "{line}");
    }
    for line in ["a", "a=", "a=b c", "a=\"\"", "a=\"\\\"\"", "a=\"\\\\\", b", ",,,"] {
        assert!(!read(&[line]).no_store, "{line}");
    }
    let long = "a,".repeat(MOST_BYTES / 2);
    assert!(!read(&[&long]).no_store);
    assert!(read(&[&long, "a"]).no_store);
    assert!(read(&vec![""; MOST_BYTES + 1]).no_store);
}

proptest! {
    /// Whatever stands beside it, as long as quotes are closed.
    #[test]
    fn no_store_is_seen_in_every_company(
        before in "([a-z]{1,3}(=(\"([ -!#-\\[\\]-~]|\\\\[\"\\\\]){0,9}\"|[a-z0-9]{0,3}))?[ \t]{0,2},){0,4}",
        after in "(,[ \t]{0,2}[a-z]{1,3}(=(\"([ -!#-\\[\\]-~]|\\\\[\"\\\\]){0,9}\"|[a-z0-9]{0,3}))?){0,4}",
    ) {
        let (with, without) = (format!("{before}no-store{after}"), format!("{before}x{after}"));
        prop_assert!(read(&[&with]).no_store);
        prop_assert!(!read(&[&without]).no_store, "{}", without);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        if let Ok(value) = HeaderValue::from_bytes(&bytes) {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, value);
            let says = Directives::read(&headers);
            prop_assert!(says.no_store || bytes.iter().all(u8::is_ascii));
        }
    }
}
