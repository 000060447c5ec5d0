//! One call however many callers, and whoever of them leaves.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
};

use futures::future::join_all;
use tokio::time::{Instant, advance, sleep};
use tokio_test::task;
use tower_failover::{
    BoxError,
    fallback::{Served, cached::CoalesceLayer},
};

use super::support::{Counts, MILLI, SECOND, ask, by_number, cache, origin, slow, stack};

type Caller<'a> = Pin<Box<dyn Future<Output = Result<Served<usize>, BoxError>> + 'a>>;

/// So many callers who have called, but not been polled.
fn callers(stack: &impl super::support::Stack<u64, usize>, number: usize) -> Vec<Caller<'_>> {
    let call = |mut service| {
        let ready = futures::executor::block_on(tower::ServiceExt::ready(&mut service));
        Box::pin(tower::Service::call(ready.unwrap(), 1)) as Caller<'_>
    };
    (0..number).map(|_| call(stack.clone())).collect()
}

async fn all_pending(callers: &mut [Caller<'_>]) {
    for caller in callers {
        assert!(futures::poll!(caller).is_pending());
    }
}

async fn all_get_one(callers: Vec<Caller<'_>>) {
    for answer in join_all(callers).await {
        assert_eq!(answer.unwrap().into_inner(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn promise_7_ten_thousand_misses_make_one_call() {
    let counts = Counts::default();
    let cached = by_number(&cache());
    let stack = stack(&cached, CoalesceLayer::new(cached.clone()), slow(&counts));
    let began = Instant::now();
    all_get_one(callers(&stack, 10_000)).await;
    assert!(began.elapsed() < SECOND + 3 * MILLI);
    assert_eq!((counts.calls(), counts.most()), (1, 1));
}

#[derive(Clone, Copy, Debug)]
enum When {
    BeforeHisFirstPoll,
    InMidCall,
    AtTheEnd,
}

#[tokio::test(start_paused = true)]
async fn promise_7_ten_thousand_misses_make_one_call_when_the_first_is_cancelled_at_any_time() {
    for when in [When::BeforeHisFirstPoll, When::InMidCall, When::AtTheEnd] {
        let counts = Counts::default();
        let cached = by_number(&cache());
        let stack = stack(&cached, CoalesceLayer::new(cached.clone()), slow(&counts));
        let mut all = callers(&stack, 10_000);
        match when {
            When::BeforeHisFirstPoll => all_pending(&mut all[1..]).await,
            When::InMidCall => {
                all_pending(&mut all).await;
                advance(SECOND / 2).await;
            }
            When::AtTheEnd => {
                all_pending(&mut all).await;
                advance(2 * SECOND).await;
            }
        }
        drop(all.remove(0));
        assert_eq!(counts.dropped(), 0, "{when:?}");
        all_get_one(all).await;
        assert_eq!((counts.calls(), counts.dropped()), (1, 0), "{when:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn promise_7_when_every_second_waiter_leaves_the_others_are_answered() {
    let counts = Counts::default();
    let cached = by_number(&cache());
    let stack = stack(&cached, CoalesceLayer::new(cached.clone()), slow(&counts));
    let mut all = callers(&stack, 10_000);
    all_pending(&mut all).await;
    let mut left = 0;
    let mut number = 0;
    all.retain(|_| {
        number += 1;
        left += usize::from(number % 2 == 1);
        number % 2 == 0
    });
    assert_eq!((left, counts.dropped()), (5_000, 0), "the first left too");
    all_get_one(all).await;
    assert_eq!((counts.calls(), counts.dropped()), (1, 0));
}

/// Counts how often it is polled.
pub(crate) struct Polled<F> {
    future: Pin<Box<F>>,
    polls: Arc<AtomicUsize>,
}

impl<F: Future> Future for Polled<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.polls.fetch_add(1, SeqCst);
        self.future.as_mut().poll(cx)
    }
}

pub(crate) fn polled<F>(future: F) -> (Polled<F>, Arc<AtomicUsize>) {
    let polls = Arc::new(AtomicUsize::new(0));
    (Polled { future: Box::pin(future), polls: polls.clone() }, polls)
}

#[tokio::test(start_paused = true)]
async fn promise_7_when_those_who_go_on_with_the_call_leave_in_a_row_it_is_still_one_call() {
    let (counts, steps) = (Counts::default(), Arc::new(AtomicUsize::new(0)));
    let step = steps.clone();
    let inner = origin(&counts, move |call, _: u64| {
        let work = async move {
            sleep(SECOND).await;
            Ok(call)
        };
        Polled { future: Box::pin(work), polls: step.clone() }
    });
    let cached = by_number(&cache());
    let stack = stack(&cached, CoalesceLayer::new(cached.clone()), inner);
    let mut all = callers(&stack, 1_001);
    all_pending(&mut all).await;
    for _ in 0..1_000 {
        drop(all.remove(0));
        let before = steps.load(SeqCst);
        assert!(futures::poll!(&mut all[0]).is_pending(), "he has taken it over");
        assert_eq!(steps.load(SeqCst), before + 1, "and goes on with it");
    }
    all_get_one(all).await;
    assert_eq!((counts.calls(), counts.dropped()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn promise_7_an_idle_waiter_is_polled_twice_once_to_wait_and_once_to_finish() {
    let counts = Counts::default();
    let cached = by_number(&cache());
    // The call itself is polled a hundred times.
    let inner = origin(&counts, |call, _: u64| async move {
        for _ in 0..100 {
            sleep(10 * MILLI).await;
        }
        Ok(call)
    });
    let stack = stack(&cached, CoalesceLayer::new(cached.clone()), inner);
    let (tasks, polls): (Vec<_>, Vec<_>) = (0..1_000)
        .map(|_| {
            let stack = stack.clone();
            let (task, polls) = polled(async move { ask(&stack, 1).await });
            (tokio::spawn(task), polls)
        })
        .unzip();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap().into_inner(), 1);
    }
    assert_eq!(counts.calls(), 1);
    assert!(polls[0].load(SeqCst) > 100, "the first makes the call");
    for polls in &polls[1..] {
        assert_eq!(polls.load(SeqCst), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn promise_7_when_the_first_leaves_only_one_of_those_who_wait_is_woken() {
    let counts = Counts::default();
    let cached = by_number(&cache());
    let stack = stack(&cached, CoalesceLayer::new(cached.clone()), slow(&counts));
    let mut first = Box::pin(ask(&stack, 1));
    assert!(futures::poll!(&mut first).is_pending());
    let (tasks, polls): (Vec<_>, Vec<_>) = (0..100)
        .map(|_| {
            let stack = stack.clone();
            let (task, polls) = polled(async move { ask(&stack, 1).await });
            (tokio::spawn(task), polls)
        })
        .unzip();
    sleep(SECOND / 2).await;
    drop(first);
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap().into_inner(), 1);
    }
    assert_eq!((counts.calls(), counts.dropped()), (1, 0));
    let polls: Vec<_> = polls.iter().map(|polls| polls.load(SeqCst)).collect();
    assert_eq!(polls.iter().filter(|polls| **polls == 2).count(), 99, "{polls:?}");
    assert_eq!(polls.iter().filter(|polls| **polls == 3).count(), 1, "{polls:?}");
}

#[tokio::test(start_paused = true)]
async fn promise_7_one_who_is_woken_to_go_on_and_leaves_instead_wakes_the_next() {
    let counts = Counts::default();
    let cached = by_number(&cache());
    let stack = stack(&cached, CoalesceLayer::new(cached.clone()), slow(&counts));
    let mut first = Box::pin(ask(&stack, 1));
    assert!(futures::poll!(&mut first).is_pending());
    let mut waiters: Vec<_> = (0..100).map(|_| task::spawn(ask(&stack, 1))).collect();
    for waiter in &mut waiters {
        assert!(waiter.poll().is_pending());
    }
    drop(first);
    while waiters.len() > 1 {
        let woken: Vec<_> = waiters.iter().map(task::Spawn::is_woken).collect();
        assert_eq!(woken.iter().filter(|is_woken| **is_woken).count(), 1);
        assert!(woken[0], "the one who has waited longest");
        drop(waiters.remove(0));
    }
    assert!(waiters[0].is_woken());
    assert_eq!(waiters.remove(0).await.unwrap().into_inner(), 1);
    assert_eq!((counts.calls(), counts.dropped()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn promise_7_a_call_that_nobody_waits_for_is_dropped_and_its_key_is_free() {
    let counts = Counts::default();
    let cached = by_number(&cache());
    let stack = stack(&cached, CoalesceLayer::new(cached.clone()), slow(&counts));
    let mut all = callers(&stack, 100);
    all_pending(&mut all).await;
    drop(all);
    assert_eq!((counts.calls(), counts.dropped(), counts.running()), (1, 1, 0));
    assert_eq!(ask(&stack, 1).await.unwrap().into_inner(), 2);
}

#[tokio::test(start_paused = true)]
async fn promise_7_callers_of_different_keys_do_not_wait_for_each_other() {
    let counts = Counts::default();
    let cached = by_number(&cache());
    let stack = stack(&cached, CoalesceLayer::new(cached.clone()), slow(&counts));
    let began = Instant::now();
    let answers = join_all((0..1_000).map(|n| ask(&stack, n % 100))).await;
    assert!(answers.into_iter().all(|answer| answer.is_ok()));
    assert_eq!((counts.calls(), counts.most()), (100, 100));
    assert!(began.elapsed() < SECOND + 3 * MILLI);
}
