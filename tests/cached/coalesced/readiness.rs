//! Who does not call the inner service does not wait for it, and keeps no place in it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use futures::future::join;
use tokio::time::Instant;
use tower::{
    Layer, Service, ServiceExt, limit::GlobalConcurrencyLimitLayer, service_fn,
    util::BoxCloneSyncService,
};
use tower_failover::{
    BoxError,
    fallback::cached::{CoalesceLayer, SharedError},
};

use super::support::{Counts, MILLI, SECOND, ask, by_number, cache, origin, slow, stack};

#[tokio::test(start_paused = true)]
async fn promise_7_one_who_waited_keeps_no_place_in_a_limit() {
    let counts = Counts::default();
    let limited = GlobalConcurrencyLimitLayer::new(1).layer(slow(&counts));
    let cached = by_number(&cache());
    let stack = stack(&cached, CoalesceLayer::new(cached.clone()), limited);
    let (mut first, mut next) = (stack.clone(), stack.clone());
    let call = first.ready().await.unwrap().call(1);
    let wait = next.ready().await.unwrap().call(1);
    let (call, wait) = join(call, wait).await;
    assert_eq!((call.unwrap().into_inner(), wait.unwrap().into_inner()), (1, 1));
    assert_eq!(ask(&stack, 2).await.unwrap().into_inner(), 2);
    assert_eq!(counts.calls(), 2);
    drop((first, next));
}

#[tokio::test(start_paused = true)]
async fn promise_7_one_who_is_answered_from_the_cache_keeps_no_place_in_a_limit() {
    let counts = Counts::default();
    let limited = GlobalConcurrencyLimitLayer::new(1).layer(slow(&counts));
    let coalesce = CoalesceLayer::new(by_number(&cache())).layer(limited);
    let mut idle = coalesce.clone();
    assert_eq!(idle.ready().await.unwrap().call(1).await.unwrap(), 1);
    assert_eq!(idle.ready().await.unwrap().call(1).await.unwrap(), 1);
    assert_eq!(coalesce.clone().oneshot(2).await.unwrap(), 2);
    assert_eq!(counts.calls(), 2);
    drop(idle);
}

#[tokio::test(start_paused = true)]
async fn promise_7_an_inner_service_that_is_not_ready_delays_nobody_but_the_first() {
    let counts = Counts::default();
    let limited = GlobalConcurrencyLimitLayer::new(1).layer(slow(&counts));
    let cached = by_number(&cache());
    let stack = stack(&cached, CoalesceLayer::new(cached.clone()), limited);
    assert_eq!(ask(&stack, 1).await.unwrap().into_inner(), 1);
    let began = Instant::now();
    let mut busy = Box::pin(ask(&stack, 2));
    assert!(futures::poll!(&mut busy).is_pending());
    assert_eq!(ask(&stack, 1).await.unwrap().into_inner(), 1);
    assert_eq!(began.elapsed(), Duration::ZERO, "a hit");
    let wait = ask(&stack, 2);
    let third = ask(&stack, 3);
    let ((busy, wait), third) = join(join(busy, wait), third).await;
    assert_eq!((busy.unwrap().into_inner(), wait.unwrap().into_inner()), (2, 2));
    assert_eq!(third.unwrap().into_inner(), 3, "called when the place was free");
    assert!(began.elapsed() >= 2 * SECOND && began.elapsed() < 2 * SECOND + 5 * MILLI);
    assert_eq!((counts.calls(), counts.most()), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn promise_7_after_a_loss_a_waiter_is_answered_although_the_service_is_not_ready() {
    let counts = Counts::default();
    let inner = origin(&counts, |call, _: u64| async move {
        tokio::time::sleep(SECOND).await;
        assert!(call != 1, "the first call panics");
        Ok(call)
    });
    let limited = GlobalConcurrencyLimitLayer::new(1).layer(inner);
    let (cache, cached) = {
        let cache = cache();
        let cached = by_number(&cache);
        (cache, cached)
    };
    let stack = stack(&cached, CoalesceLayer::new(cached.clone()), limited);
    let first = {
        let stack = stack.clone();
        tokio::spawn(async move { ask(&stack, 1).await })
    };
    tokio::task::yield_now().await;
    let mut wait = Box::pin(ask(&stack, 1));
    assert!(futures::poll!(&mut wait).is_pending());
    // Others stand in the queue of the limit; what the waiter wants is there before their turn.
    let others: Vec<_> = (2..5)
        .map(|n| {
            let stack = stack.clone();
            tokio::spawn(async move { ask(&stack, n).await })
        })
        .collect();
    tokio::task::yield_now().await;
    assert!(first.await.is_err(), "it panicked");
    cache.insert(1, 77, super::support::terms());
    let began = Instant::now();
    assert_eq!(wait.await.unwrap().into_inner(), 77);
    assert_eq!(began.elapsed(), Duration::ZERO);
    for other in others {
        other.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn promise_7_the_first_caller_waits_on_the_instance_that_was_polled() {
    use std::task::Poll;
    /// Ready at the third poll of the same instance; counts those of all.
    #[derive(Debug, Default)]
    struct Third(usize, Arc<AtomicUsize>);
    impl Clone for Third {
        fn clone(&self) -> Self {
            Self(0, self.1.clone())
        }
    }
    impl Service<u64> for Third {
        type Response = usize;
        type Error = BoxError;
        type Future = std::future::Ready<Result<usize, BoxError>>;
        fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> Poll<Result<(), BoxError>> {
            self.0 += 1;
            self.1.fetch_add(1, SeqCst);
            cx.waker().wake_by_ref();
            if self.0 >= 3 { Poll::Ready(Ok(())) } else { Poll::Pending }
        }
        fn call(&mut self, _: u64) -> Self::Future {
            std::future::ready(Ok(self.1.load(SeqCst)))
        }
    }
    let mut service = CoalesceLayer::new(by_number(&cache())).layer(Third::default());
    let call = service.ready().await.unwrap().call(1);
    assert_eq!(call.await.unwrap(), 3, "its first poll was that of the caller");
}

#[tokio::test(start_paused = true)]
async fn promise_7_works_over_a_buffer() {
    let counts = Counts::default();
    let buffered = tower::buffer::Buffer::new(slow(&counts), 1);
    let cached = by_number(&cache());
    let stack = stack(&cached, CoalesceLayer::new(cached.clone()), buffered);
    let callers = (0..100).map(|n| ask(&stack, n % 10));
    for answer in futures::future::join_all(callers).await {
        answer.unwrap();
    }
    assert_eq!(counts.calls(), 10);
}

#[tokio::test(start_paused = true)]
async fn promise_7_an_error_of_readiness_is_a_failure_that_all_share() {
    #[derive(Clone)]
    struct Broken(Counts);
    impl Service<u64> for Broken {
        type Response = usize;
        type Error = BoxError;
        type Future = std::future::Ready<Result<usize, BoxError>>;
        fn poll_ready(
            &mut self,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<(), BoxError>> {
            drop(self.0.begin());
            std::task::Poll::Ready(Err("broken".into()))
        }
        fn call(&mut self, _: u64) -> Self::Future {
            unreachable!("it is never ready")
        }
    }
    let (counts, cache) = (Counts::default(), cache());
    let cached = by_number(&cache);
    let stack = stack(&cached, CoalesceLayer::new(cached.clone()), Broken(counts.clone()));
    let error = ask(&stack, 1).await.unwrap_err();
    let shared = error.downcast_ref::<SharedError>().unwrap();
    assert_eq!(shared.get_ref().to_string(), "broken");
    cache.insert(1, 5, super::support::terms().fresh_for(Duration::ZERO));
    assert_eq!(ask(&stack, 1).await.unwrap().into_inner(), 5, "the stale answer");
    assert_eq!(counts.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn promise_7_one_call_for_all_under_router_layer() {
    use axum::{
        Router,
        body::Body,
        http::{Request, StatusCode},
        routing::get,
    };
    let counts = Counts::default();
    let inner = slow(&counts);
    let cached = by_number(&cache());
    // The layer of a route is applied anew for each request.
    let layer = CoalesceLayer::new(cached.clone());
    let fallback = tower_failover::FallbackLayer::new(cached);
    let page = tower::layer::layer_fn(move |_: axum::routing::Route| {
        let service = fallback.layer(layer.layer(inner.clone()));
        let service = BoxCloneSyncService::new(service);
        service_fn(move |_: Request<Body>| {
            let service = service.clone();
            async move {
                let number = service.oneshot(1).await.unwrap();
                Ok::<_, std::convert::Infallible>(axum::response::Response::new(Body::from(
                    number.to_string(),
                )))
            }
        })
    });
    let router: Router = Router::new().route("/", get(|| async {})).layer(page);
    let request = || Request::get("/").body(Body::empty()).unwrap();
    let answers = (0..100).map(|_| router.clone().oneshot(request()));
    for answer in futures::future::join_all(answers).await {
        assert_eq!(answer.unwrap().status(), StatusCode::OK);
    }
    assert_eq!(counts.calls(), 1);
}
