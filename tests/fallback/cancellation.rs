//! Calls that do not come to their end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::task::yield_now;
use tokio_test::task;
use tower::{Layer, Service, ServiceExt, limit::ConcurrencyLimit, service_fn};
use tower_failover::{
    FallbackLayer,
    fallback::{Backup, from_async_fn, from_fn},
};
use tower_test::{assert_request_eq, mock};

use crate::support::{Answer, Backend, Diary, Scripted};

/// Counts how many are alive.
struct Alive(Arc<AtomicU32>);

impl Alive {
    fn new(count: &Arc<AtomicU32>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count.clone())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn free<S>(limited: &S) -> bool
where
    S: Service<&'static str> + Clone,
{
    mock::Spawn::new(limited.clone()).poll_ready::<&str>().is_ready()
}

#[tokio::test]
async fn a_call_dropped_before_its_first_poll_asks_no_strategy() {
    let diary = Diary::default();
    let layer = FallbackLayer::new(Scripted::answering("mine", &diary));
    let (mut service, mut backend): (_, Backend) = mock::spawn_layer(layer);
    backend.send_error("connection lost");
    assert!(service.poll_ready::<&str>().is_ready());
    drop(service.call("dropped"));
    assert_eq!(diary.read(), ["mine plans"]);
    backend.allow(1);
    assert!(service.poll_ready::<&str>().is_ready());
    let call = service.call("next");
    assert_request_eq!(backend, "next").send_response("response");
    assert_eq!(call.await.unwrap(), "response");
}

#[tokio::test(start_paused = true)]
async fn a_call_cancelled_at_any_await_point_leaves_nothing_behind() {
    let alive = Arc::new(AtomicU32::new(0));
    let steps = |alive: &Arc<AtomicU32>, steps: u32, answer: fn() -> Answer| {
        let alive = alive.clone();
        service_fn(move |_: &'static str| {
            let guard = Alive::new(&alive);
            async move {
                let _guard = guard;
                for _ in 0..steps {
                    yield_now().await;
                }
                answer()
            }
        })
    };
    let primary = ConcurrencyLimit::new(steps(&alive, 3, || Err("down".into())), 1);
    let backup = ConcurrencyLimit::new(steps(&alive, 3, || Err("down too".into())), 1);
    let last = alive.clone();
    let last = from_async_fn(move |_: &Answer| {
        let guard = Alive::new(&last);
        async move {
            let _guard = guard;
            for _ in 0..3 {
                yield_now().await;
            }
            Ok("last")
        }
    });
    let chain = Backup::new(backup.clone()).within(Duration::from_secs(1)).or(last);
    let layer = FallbackLayer::new(chain).inner_within(Duration::from_secs(1));
    let service = layer.layer(primary.clone());

    let (mut cancelled, mut completed) = (0, 0);
    for polls in 0..20 {
        let mut call = task::spawn(service.clone().oneshot("request"));
        let ended = (0..polls).any(|_| call.poll().is_ready());
        drop(call);
        if ended {
            completed += 1
        } else {
            cancelled += 1
        }
        assert_eq!(alive.load(Ordering::Relaxed), 0, "after {polls} polls");
        for free in [free(&primary), free(&backup)] {
            assert!(free, "a permit is lost after {polls} polls");
        }
    }
    assert!(cancelled >= 9 && completed >= 9, "{cancelled} cancelled, {completed} completed");
    assert_eq!(service.oneshot("request").await.unwrap(), "last");
}

#[tokio::test(start_paused = true)]
async fn a_strategy_that_is_given_up_is_dropped_before_the_next_one_is_asked() {
    let alive = Arc::new(AtomicU32::new(0));
    let counted = alive.clone();
    let hangs = from_async_fn(move |_: &Answer| {
        let guard = Alive::new(&counted);
        async move {
            let _guard = guard;
            std::future::pending::<Answer>().await
        }
    });
    let seen = alive.clone();
    let next = from_fn(move |_: &Answer| match seen.load(Ordering::Relaxed) {
        0 => Ok("next"),
        _ => Err("the first one is still there".into()),
    });
    let down = service_fn(async |_: &'static str| Answer::Err("down".into()));
    let chain = hangs.within(Duration::from_secs(1)).or(next);
    assert_eq!(FallbackLayer::new(chain).layer(down).oneshot("request").await.unwrap(), "next");
}
