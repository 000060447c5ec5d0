use std::time::Duration;

use tokio::time::advance;
use tower_failover::fallback::cached::{Cached, Stale, Terms};

use crate::support::{
    Origin, SECOND, Trouble, ask, begin, by_hand, by_name, cache, fresh, stale, terms, told,
};

#[tokio::test(start_paused = true)]
async fn promise_5_only_a_success_is_learned() {
    let (origin, cache) = (Origin::saying(|| Err(Trouble::Down)), cache());
    let service = origin.behind(Cached::new(cache.clone(), by_name).terms(terms()));
    assert_eq!(ask(&service, "a").await.unwrap_err(), Trouble::Down);
    origin.says(|| Err(Trouble::CallersOwn));
    assert_eq!(ask(&service, "a").await.unwrap_err(), Trouble::CallersOwn);
    origin.says(|| Err(Trouble::SaysNothing));
    assert_eq!(ask(&service, "a").await.unwrap_err(), Trouble::SaysNothing);
    assert!(cache.is_empty());
    assert_eq!(origin.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn promise_5_a_response_that_is_a_failure_or_is_ignored_is_not_learned() {
    use tower::{Layer, ServiceExt, service_fn};
    use tower_failover::{FallbackLayer, Outcome};

    let cache = cache();
    let classify = |result: &Result<&'static str, Trouble>| match result {
        Ok("broken") => Outcome::Failure,
        Ok("busy") => Outcome::Ignored,
        Ok(_) | Err(_) => Outcome::Success,
    };
    let layer = FallbackLayer::new(Cached::new(cache.clone(), by_name).terms(terms()));
    let echo = service_fn(async |request: &'static str| Ok::<_, Trouble>(request));
    let service = layer.classify(classify).served().layer(echo);
    for (request, kept) in [("broken", 0), ("busy", 0), ("fine", 1)] {
        let served = service.clone().oneshot(request).await.unwrap();
        assert_eq!((*served.value(), served.is_fallback()), (request, false));
        assert_eq!(cache.len(), kept, "after {request}");
    }
}

#[tokio::test(start_paused = true)]
async fn promise_5_a_callers_own_error_is_not_answered_from_the_cache() {
    let origin = Origin::saying(|| Ok("A"));
    let service = origin.behind(Stale::new(cache(), by_name).terms(terms()));
    ask(&service, "a").await.unwrap();
    for says in [|| Err(Trouble::CallersOwn), || Err(Trouble::SaysNothing)] {
        origin.says(says);
        assert_eq!(ask(&service, "a").await.unwrap_err(), says().unwrap_err());
    }
    origin.goes_down();
    assert_eq!(told(&service, "a").await, ("A", fresh(Duration::ZERO)), "and it is still kept");
}

#[tokio::test(start_paused = true)]
async fn promise_5_a_failure_leaves_what_is_kept_as_it_is() {
    let (origin, cache) = (Origin::saying(|| Ok("A")), cache());
    let service = origin.behind(Cached::new(cache.clone(), by_name).terms(terms()));
    ask(&service, "a").await.unwrap();
    advance(11 * SECOND).await;
    origin.goes_down();
    for _ in 0..10 {
        assert_eq!(told(&service, "a").await, ("A", stale(11 * SECOND)));
    }
    assert_eq!(cache.get(&"a").unwrap().source(), stale(11 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn promise_5_a_request_without_a_key_passes_by() {
    let (origin, cache) = (Origin::saying(|| Ok("A")), cache());
    let key = |request: &&'static str| (*request != "post").then_some("the only one");
    let cached = origin.behind(Cached::new(cache.clone(), key).terms(terms()));
    let kept = origin.behind(Stale::new(cache.clone(), key).terms(terms()));
    ask(&cached, "get").await.unwrap();
    for calls in 2..5 {
        assert!(!ask(&cached, "post").await.unwrap().is_fallback());
        assert_eq!((origin.calls(), cache.len()), (calls, 1));
    }
    assert!(!ask(&kept, "post").await.unwrap().is_fallback());
    origin.goes_down();
    assert_eq!(ask(&cached, "post").await.unwrap_err(), Trouble::Down);
    assert_eq!(ask(&kept, "post").await.unwrap_err(), Trouble::Down);
    assert_eq!(told(&kept, "get").await, ("A", fresh(Duration::ZERO)));
}

#[tokio::test(start_paused = true)]
async fn promise_5_a_cancelled_call_keeps_nothing() {
    let cache = cache();
    let (mut service, mut backend) = by_hand(Cached::new(cache.clone(), by_name).terms(terms()));
    let mut cancelled = 0;
    for _ in 0..10 {
        let (call, respond) = begin(&mut service, &mut backend, "a").await;
        drop(call);
        respond.send_response("A");
        cancelled += 1;
        assert!(cache.is_empty());
    }
    assert_eq!(cancelled, 10);
    let (call, respond) = begin(&mut service, &mut backend, "a").await;
    respond.send_response("A");
    assert!(!call.await.unwrap().is_fallback());
    assert_eq!(cache.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn promise_5_what_is_put_there_by_hand_answers_as_what_was_learned() {
    let (origin, cache) = (Origin::saying(|| Err(Trouble::Down)), cache());
    let service = origin.behind(Cached::new(cache.clone(), by_name));
    cache.insert("a", "A", terms());
    assert_eq!(told(&service, "a").await, ("A", fresh(Duration::ZERO)));
    assert_eq!(origin.calls(), 0);
    advance(12 * SECOND).await;
    assert_eq!(told(&service, "a").await, ("A", stale(12 * SECOND)));
    cache.insert("a", "B", Terms::new());
    assert_eq!(told(&service, "a").await, ("B", fresh(Duration::ZERO)));
}
