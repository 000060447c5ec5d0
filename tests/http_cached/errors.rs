//! The text of an error may quote the request, and is then for its caller only.

use std::{
    error::Error,
    iter,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use tokio::time::sleep;
use tower::{Layer, ServiceExt, service_fn};
use tower_failover::{
    BoxError,
    fallback::cached::FailedResponse,
    http::cached::{CacheLayer, Page, Pages},
};

use crate::support::get;

/// The errors of a first caller and of one who waits, from an origin that quotes its requests.
async fn errors_of(name: &'static str) -> [BoxError; 2] {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let origin = service_fn(move |request: Request<Empty<Bytes>>| {
        count.fetch_add(1, SeqCst);
        async move {
            sleep(Duration::from_millis(1)).await;
            let secret = request.headers()[name].to_str()?.to_owned();
            let error = format!("the session of {secret} cannot be read");
            Err::<Response<Empty<Bytes>>, _>(BoxError::from(error))
        }
    });
    let layer = CacheLayer::new(Page::cache("pages").spawn(), Pages::new().public());
    let site = layer.layer(origin);
    let ask = |secret: &str| site.clone().oneshot(get("/", &[(name, secret)]));
    let (alice, bob) = tokio::join!(ask("alice-secret"), ask("bob-secret"));
    assert_eq!(calls.load(SeqCst), 1);
    [alice.unwrap_err(), bob.unwrap_err()]
}

fn chain(error: &BoxError) -> Vec<&(dyn Error + 'static)> {
    let error: &(dyn Error + 'static) = &**error;
    iter::successors(Some(error), |error| (*error).source()).collect()
}

#[tokio::test(start_paused = true)]
async fn promise_9_an_error_is_not_shared_between_two_who_say_who_they_are() {
    for name in ["authorization", "cookie", "proxy-authorization"] {
        let [alice, bob] = errors_of(name).await;
        assert!(format!("{:?}", chain(&alice)).contains("alice-secret"), "{alice:?}");
        let shown = format!("{bob} {bob:?} {:?}", chain(&bob));
        assert!(!shown.contains("alice"), "{name}: {shown}");
        assert!(chain(&bob).iter().any(|error| error.is::<FailedResponse>()), "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn errors_are_shared_by_those_who_do_not_say_who_they_are() {
    let [alice, bob] = errors_of("accept-language").await;
    for error in [alice, bob] {
        assert!(format!("{:?}", chain(&error)).contains("alice-secret"), "{error:?}");
    }
}
