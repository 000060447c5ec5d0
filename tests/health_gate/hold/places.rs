//! How many calls are held, and when their places are free again.

use std::{panic::AssertUnwindSafe, sync::Arc, task::Poll};

use futures::FutureExt;
use tokio_test::{assert_pending, assert_ready, task};
use tower::{Layer, Service, ServiceExt};
use tower_failover::BoxError;

use super::hold;
use crate::{
    SECOND,
    backend::{Backend, Work},
    call, fall, refusal, rise, unhealthy,
};

#[tokio::test(start_paused = true)]
async fn health_promise_4_no_more_calls_are_held_than_allowed_whoever_makes_them() {
    let health = unhealthy();
    let backend = Backend::new(Work::Succeeds);
    let layer = hold(&health, SECOND, 3);
    let service = layer.layer(backend.clone());
    let others =
        [layer.layer(backend.clone()), layer.clone().layer(backend.clone()), service.clone()];
    let mut held: Vec<_> =
        others.into_iter().map(|service| task::spawn(service.oneshot(()))).collect();
    held.iter_mut().for_each(|call| assert_pending!(call.poll()));
    for _ in 0..100 {
        let mut over = task::spawn(service.clone().oneshot(()));
        assert!(refusal(&assert_ready!(over.poll(), "it is one too many")).is_some());
    }
    rise(&health);
    for mut call in held {
        assert_ready!(call.poll()).unwrap();
    }
    assert_eq!(backend.called.get(), 3);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_held_where_there_is_no_place() {
    let mut service = hold(&unhealthy(), SECOND, 0).layer(Backend::new(Work::Succeeds));
    assert!(refusal(&call(&mut service).now_or_never().unwrap()).is_some());
}

/// Whether exactly one more call can be held.
fn has_one_place<S>(service: &S) -> bool
where
    S: Service<(), Response = usize, Error = BoxError> + Clone,
{
    let mut held = task::spawn(service.clone().oneshot(()));
    let mut over = task::spawn(service.clone().oneshot(()));
    held.poll().is_pending() && over.poll().is_ready()
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_a_held_call_that_ends_in_any_way_frees_its_place() {
    let health = unhealthy();
    let backend = Backend::new(Work::Succeeds);
    let mut service = hold(&health, SECOND, 1).layer(backend.clone());
    assert!(has_one_place(&service));

    // Cancelled, before its first poll and after it.
    for polls in 0..3 {
        ServiceExt::<()>::ready(&mut service).await.unwrap();
        let mut held = task::spawn(service.call(()));
        for _ in 0..polls {
            assert_pending!(held.poll());
        }
        assert!(!has_one_place(&service), "it is taken");
        drop(held);
        assert!(has_one_place(&service), "cancelled after {polls} polls");
    }

    // At its limit.
    assert!(refusal(&call(&mut service).await).is_some());
    assert!(has_one_place(&service));

    // Let through, while its call goes on; and when that panics.
    for work in [Work::Hangs, Work::PanicsInCall, Work::PanicsInPoll] {
        backend.now(work);
        ServiceExt::<()>::ready(&mut service).await.unwrap();
        let mut held = Box::pin(AssertUnwindSafe(service.call(())).catch_unwind());
        assert!(futures::poll!(&mut held).is_pending());
        rise(&health);
        let panics = matches!(futures::poll!(&mut held), Poll::Ready(Err(_)));
        assert_eq!(panics, !matches!(work, Work::Hangs));
        fall(&health);
        if panics {
            drop(held);
            assert!(has_one_place(&service), "after {work:?}");
        } else {
            assert!(has_one_place(&service), "while {work:?}");
        }
    }
    assert_eq!(backend.called.get(), 3);
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_a_held_call_that_is_cancelled_leaves_nothing_behind() {
    let token = Arc::new(());
    let counted = token.clone();
    let inner = tower::service_fn(move |()| {
        let token = counted.clone();
        async move {
            std::future::pending::<()>().await;
            drop(token);
            Ok::<_, BoxError>(())
        }
    });
    let health = unhealthy();
    let mut service = hold(&health, SECOND, 1).layer(inner);
    let before = Arc::strong_count(&token);
    for goes_on in [false, true] {
        let mut held = task::spawn(service.ready().await.unwrap().call(()));
        assert_pending!(held.poll());
        if goes_on {
            rise(&health);
            assert_pending!(held.poll());
        }
        assert!(Arc::strong_count(&token) > before);
        drop(held);
        assert_eq!(Arc::strong_count(&token), before);
    }
}
