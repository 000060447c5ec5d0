use std::{rc::Rc, time::Duration};

use tokio::time::advance;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_failover::{
    BoxError, FallbackLayer, Ratio,
    fallback::{
        Source,
        cached::{Cache, Cached, Stale},
    },
};

use crate::support::{NANO, Origin, SECOND, Trouble, ask, by_name, cache, classify, fresh, terms};

/// Cannot be cloned, nor sent to another thread.
struct Local {
    id: u32,
    _here: Rc<()>,
}

#[tokio::test(start_paused = true)]
async fn promise_2_requests_that_cannot_be_cloned_and_futures_that_cannot_be_sent_will_do() {
    let cache = Cache::<u32, String>::builder("local").build().0;
    let mut calls = 0;
    let backend = service_fn(|request: Local| {
        calls += 1;
        let here = Rc::new(request.id);
        async move {
            tokio::task::yield_now().await;
            Ok::<_, BoxError>(here.to_string())
        }
    });
    let cached = Cached::new(cache.clone(), |request: &Local| Some(request.id)).terms(terms());
    let kept = Stale::new(cache, |request: &Local| Some(request.id)).terms(terms());
    let mut service = FallbackLayer::new(cached.or(kept)).served().layer(backend);
    let local = || Local { id: 7, _here: Rc::new(()) };
    for source in [Source::Primary, fresh(Duration::ZERO)] {
        let served = service.ready().await.unwrap().call(local()).await.unwrap();
        assert_eq!((served.source(), served.into_inner()), (source, String::from("7")));
    }
    drop(service);
    assert_eq!(calls, 1);
}

#[tokio::test(start_paused = true)]
async fn promise_2_errors_stay_what_they_are() {
    let (origin, cache) = (Origin::saying(|| Err(Trouble::Down)), cache());
    let layer = FallbackLayer::new(Cached::new(cache.clone(), by_name)).classify(classify);
    let service = layer.layer(origin.clone());
    let error: Trouble = service.oneshot("a").await.unwrap_err();
    assert_eq!(error, Trouble::Down);

    let boxed = service_fn(async |_: &'static str| Err::<&'static str, _>(BoxError::from("down")));
    let service = FallbackLayer::new(Cached::new(cache, by_name)).layer(boxed);
    assert_eq!(service.oneshot("a").await.unwrap_err().to_string(), "down");
}

#[tokio::test(start_paused = true)]
async fn promise_1_a_backend_that_is_not_ready_is_answered_for_fresh_or_stale() {
    let cache = cache();
    cache.insert("a", "A", terms());
    let (inner, mut backend) = tower_test::mock::pair::<&'static str, &'static str>();
    let cached = Cached::new(cache.clone(), by_name).terms(terms());
    let mut service = FallbackLayer::new(cached).inner_within(SECOND).served().layer(inner);
    backend.allow(0);
    let served = service.ready().await.unwrap().call("a").await.unwrap();
    assert_eq!(served.source(), fresh(Duration::ZERO));
    advance(10 * SECOND).await;
    let served = service.ready().await.unwrap().call("a").await.unwrap();
    assert_eq!(served.source(), Source::Stale { age: 11 * SECOND });
}

#[tokio::test(start_paused = true)]
async fn promise_5_clones_and_layers_share_what_is_kept() {
    let (origin, cache) = (Origin::saying(|| Ok("A")), cache());
    let cached = Cached::new(cache.clone(), by_name).terms(terms());
    ask(&origin.behind(cached.clone()), "a").await.unwrap();
    for _ in 0..10 {
        let served = ask(&origin.behind(cached.clone()).clone(), "a").await.unwrap();
        assert!(served.is_fallback());
    }
    assert_eq!(origin.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn promise_7_one_caller_is_told_to_refresh_ahead_once_its_part_is_over() {
    let (origin, cache) = (Origin::saying(|| Ok("A")), cache());
    let cached = Cached::new(cache.clone(), by_name).terms(terms());
    let service = origin.behind(cached.refresh_ahead(Ratio::percent(80)));
    ask(&service, "a").await.unwrap();
    advance(8 * SECOND - NANO).await;
    for _ in 0..10 {
        assert!(ask(&service, "a").await.unwrap().is_fallback());
    }
    assert_eq!(origin.calls(), 1);
    advance(NANO).await;
    for _ in 0..10 {
        let served = ask(&service, "a").await.unwrap();
        assert_eq!(served.source(), fresh(8 * SECOND), "nobody waits for it");
    }
    assert_eq!(origin.calls(), 2, "handed down once, for a layer below to finish");
}
