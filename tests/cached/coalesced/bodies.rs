//! Copies that come when the first caller has read the answer, who may be slow, or never do it.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use futures::future::join_all;
use tokio::time::{Instant, advance, sleep};
use tower_failover::fallback::{
    Elapsed, Source,
    cached::{Cache, CoalesceLayer},
};

use super::{
    house::{Answer, Ask, House, housed},
    misses::polled,
    support::{Counts, SECOND, Stack, ask, cache, origin, terms},
};

const ONE: Ask = Ask { key: 1, who: 0 };
const HEAD: Duration = Duration::from_millis(100);

/// Hands in the copy of a call's answer when its caller has read it, after so long; or never.
fn read_after(time: impl Fn(usize) -> Option<Duration> + Send + Sync + 'static) -> House {
    let unread = Mutex::new(Vec::new());
    let mut house = House::new();
    house.keep = Arc::new(move |(_, answer, deposit)| match time(answer.0) {
        Some(Duration::ZERO) => deposit.store(answer, terms()),
        Some(time) => drop(tokio::spawn(async move {
            sleep(time).await;
            deposit.store(answer, terms());
        })),
        None => unread.lock().unwrap().push(deposit),
    });
    house
}

/// An origin whose heads take 100 ms, and so long for their bodies.
fn bodies(
    counts: &Counts,
    cache: &Cache<u64, Answer>,
    house: House,
    set: impl FnOnce(CoalesceLayer<House>) -> CoalesceLayer<House>,
) -> impl Stack<Ask, Answer> {
    let inner = origin(counts, |call, ask: Ask| async move {
        sleep(HEAD).await;
        Ok((call, ask.who))
    });
    housed(cache, house, set, inner)
}

/// Which call's answer each of the callers gets, and after how many tenths of a second.
async fn answers(stack: &impl Stack<Ask, Answer>, callers: usize) -> Vec<(usize, u128)> {
    let began = Instant::now();
    let mut answers = join_all((0..callers).map(|_| async {
        let answer = ask(stack, ONE).await.unwrap().into_inner();
        (answer.0, began.elapsed().as_millis() / 100)
    }))
    .await;
    answers.sort_unstable();
    answers
}

#[tokio::test(start_paused = true)]
async fn promise_7_one_who_does_not_read_costs_a_thousand_others_one_call_and_a_second() {
    let counts = Counts::default();
    let house = read_after(|call| (call > 1).then_some(Duration::ZERO));
    let stack = bodies(&counts, &cache(), house, |layer| layer);
    let answers = answers(&stack, 1_000).await;
    assert_eq!(answers[0], (1, 1));
    assert_eq!(answers[1..], [(2, 12); 999]);
    assert_eq!(counts.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn promise_7_a_body_that_is_read_in_time_is_for_all_who_wait() {
    let counts = Counts::default();
    let stack = bodies(&counts, &cache(), read_after(|_| Some(9 * HEAD)), |layer| layer);
    let answers = answers(&stack, 1_000).await;
    assert_eq!(answers[0], (1, 1));
    assert_eq!(answers[1..], [(1, 10); 999]);
    assert_eq!(counts.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn promise_7_the_time_for_a_body_can_be_set() {
    let counts = Counts::default();
    let house = read_after(|call| (call > 1).then_some(Duration::ZERO));
    let stack = bodies(&counts, &cache(), house, |layer| layer.body_timeout(3 * HEAD));
    assert_eq!(answers(&stack, 3).await, [(1, 1), (2, 5), (2, 5)]);
}

#[tokio::test(start_paused = true)]
async fn promise_7_when_nobody_reads_each_who_has_waited_three_times_makes_his_own_call() {
    let counts = Counts::default();
    let stack = bodies(&counts, &cache(), read_after(|_| None), |layer| layer);
    let times: Vec<_> = answers(&stack, 1_000).await.into_iter().map(|answer| answer.1).collect();
    assert_eq!(times[..3], [1, 12, 23]);
    assert_eq!(times[3..], [34; 997]);
    assert_eq!((counts.calls(), counts.most()), (1_000, 997));
}

#[tokio::test(start_paused = true)]
async fn promise_7_the_time_for_a_body_begins_with_its_head_whenever_one_comes() {
    let counts = Counts::default();
    let stack = bodies(&counts, &cache(), read_after(|_| None), |layer| layer);
    assert_eq!(answers(&stack, 1).await, [(1, 1)]);
    advance(5 * HEAD).await;
    assert_eq!(answers(&stack, 1).await, [(2, 6)], "half a second was left");
    advance(5 * SECOND).await;
    assert_eq!(answers(&stack, 1).await, [(3, 1)], "nothing was left");
    assert_eq!(counts.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn promise_7_the_copy_of_an_earlier_call_answers_those_who_wait_for_a_later_one() {
    let counts = Counts::default();
    let house = read_after(|call| (call == 1).then_some(2 * SECOND));
    let stack = bodies(&counts, &cache(), house, |layer| layer);
    let answers = answers(&stack, 1_000).await;
    assert_eq!(answers[..999], [[(1, 1)].as_slice(), &[(1, 22); 998]].concat());
    assert_eq!(answers[999], (2, 12));
    assert_eq!(counts.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn promise_7_the_hard_timeout_holds_for_all_calls_that_one_waits_for() {
    let counts = Counts::default();
    let set = |layer: CoalesceLayer<House>| layer.hard_timeout(15 * HEAD);
    let stack = bodies(&counts, &cache(), read_after(|_| None), set);
    let began = Instant::now();
    let mut callers = join_all((0..10).map(|_| ask(&stack, ONE))).await;
    assert!(began.elapsed() <= 15 * HEAD);
    callers.retain(Result::is_err);
    assert_eq!((callers.len(), counts.calls()), (8, 2));
    assert!(callers.into_iter().all(|answer| answer.unwrap_err().is::<Elapsed>()));
}

#[tokio::test(start_paused = true)]
async fn promise_7_who_has_something_stale_waits_for_the_soft_timeout_and_calls_no_more() {
    let (counts, cache) = (Counts::default(), cache());
    let set = |layer: CoalesceLayer<House>| layer.soft_timeout(3 * SECOND);
    let stack = bodies(&counts, &cache, read_after(|_| None), set);
    cache.insert(1, (0, 0), terms().fresh_for(Duration::ZERO));
    let mut all = answers(&stack, 10).await;
    assert_eq!(all.pop(), Some((1, 1)), "his own");
    assert!(all.iter().all(|answer| (29..=30).contains(&answer.1) && answer.0 == 0), "{all:?}");
    let late = ask(&stack, ONE).await.unwrap();
    assert!(matches!(late.source(), Source::Stale { .. }), "{:?}", late.source());
    assert_eq!(counts.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn promise_7_one_who_goes_on_with_the_call_of_another_does_not_read_for_ever() {
    let (counts, finished) = (Counts::default(), Arc::new(AtomicUsize::new(0)));
    let mut house = read_after(|call| (call > 1).then_some(Duration::ZERO));
    let count = finished.clone();
    house.finish = Arc::new(move |_| {
        count.fetch_add(1, SeqCst);
        Box::pin(std::future::pending())
    });
    let stack = bodies(&counts, &cache(), house, |layer| layer);
    let mut first = Box::pin(ask(&stack, ONE));
    assert!(futures::poll!(&mut first).is_pending());
    let others = answers(&stack, 1_000);
    let mut others = std::pin::pin!(others);
    assert!(futures::poll!(&mut others).is_pending());
    drop(first);
    assert_eq!(others.await, [(2, 12); 1_000]);
    assert_eq!((counts.calls(), finished.load(SeqCst)), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn promise_7_an_idle_waiter_is_polled_once_more_at_the_head_if_the_body_is_not_there() {
    for (body, polls_of_each) in [(Duration::ZERO, 2), (5 * HEAD, 3)] {
        let counts = Counts::default();
        let stack = bodies(&counts, &cache(), read_after(move |_| Some(body)), |layer| layer);
        let (tasks, polls): (Vec<_>, Vec<_>) = (0..1_000)
            .map(|_| {
                let stack = stack.clone();
                let (task, polls) = polled(async move { ask(&stack, ONE).await });
                (tokio::spawn(task), polls)
            })
            .unzip();
        for task in tasks {
            assert_eq!(task.await.unwrap().unwrap().into_inner(), (1, 0));
        }
        assert_eq!(counts.calls(), 1);
        for polls in &polls[1..] {
            assert_eq!(polls.load(SeqCst), polls_of_each, "{body:?}");
        }
    }
}

#[test]
#[should_panic(expected = "a body timeout is above zero")]
fn a_body_timeout_is_above_zero() {
    let cached = super::support::by_number(&Cache::builder("test").build().0);
    let _ = CoalesceLayer::new(cached).body_timeout(Duration::ZERO);
}
