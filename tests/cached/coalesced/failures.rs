//! How a call fails, and who learns of it.

use std::{
    error::Error,
    fmt,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use futures::{
    FutureExt,
    future::{join, join_all},
};
use tokio::time::{Instant, advance, sleep};
use tower::Layer;
use tower_failover::{
    BoxError, Outcome,
    fallback::{
        Elapsed, FallbackLayer,
        cached::{Cached, CoalesceLayer, FailedResponse, SharedError},
    },
};

use super::{
    house::{Answer, Ask, House, housed},
    support::{Counts, MILLI, SECOND, ask, by_number, cache, origin, slow, stack},
};

const ONE: Ask = Ask { key: 1, who: 1 };

/// An error that cannot be cloned.
#[derive(Debug)]
struct Trouble(usize);

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "trouble {}", self.0)
    }
}

impl Error for Trouble {}

/// Answers after a second who asked.
fn house_origin(counts: &Counts) -> impl Inner {
    origin(counts, |call, ask: Ask| async move {
        sleep(SECOND).await;
        Ok((call, ask.who))
    })
}

trait Inner:
    tower::Service<Ask, Response = Answer, Error = BoxError, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Inner for S where
    S: tower::Service<Ask, Response = Answer, Error = BoxError, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

#[tokio::test(start_paused = true)]
async fn promise_7_an_error_is_shared_by_all_without_being_cloned() {
    let counts = Counts::default();
    let inner = origin(&counts, |call, _: u64| async move {
        sleep(SECOND).await;
        Err::<usize, BoxError>(Trouble(call).into())
    });
    let cached = by_number(&cache());
    let stack = stack(&cached, CoalesceLayer::new(cached.clone()), inner);
    let errors: Vec<_> = join_all((0..1_000).map(|_| ask(&stack, 1)))
        .await
        .into_iter()
        .map(|answer| *answer.unwrap_err().downcast::<SharedError>().unwrap())
        .collect();
    for error in &errors {
        let trouble: &Trouble = error.source().unwrap().downcast_ref().unwrap();
        assert_eq!(trouble.0, 1);
        assert!(std::ptr::eq(trouble, errors[0].get_ref().downcast_ref().unwrap()), "the same one");
    }
    assert_eq!((errors.len(), counts.calls()), (1_000, 1));
}

#[tokio::test(start_paused = true)]
async fn promise_7_an_error_that_is_not_shared_is_for_the_caller_whose_request_it_was() {
    for (shown, first) in [(true, 7), (false, 8)] {
        let counts = Counts::default();
        let inner = origin(&counts, |call, _: Ask| async move {
            sleep(SECOND).await;
            Err::<Answer, BoxError>(Trouble(call).into())
        });
        let mut house = House::new();
        house.shares_errors = Arc::new(|ask| ask.who == 7);
        let stack = housed(&cache(), house, |layer| layer, inner);
        let callers = (0..1_000u64).map(|n| ask(&stack, Ask { key: 1, who: first + n }));
        let errors: Vec<_> = join_all(callers)
            .await
            .into_iter()
            .map(|answer| *answer.unwrap_err().downcast::<SharedError>().unwrap())
            .collect();
        assert!(errors[0].get_ref().is::<Trouble>(), "his own");
        for error in &errors[1..] {
            assert_eq!(error.get_ref().is::<Trouble>(), shown);
            assert_eq!(error.get_ref().is::<FailedResponse>(), !shown);
        }
        assert_eq!((errors.len(), counts.calls()), (1_000, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn promise_7_a_panic_of_the_service_reaches_one_caller_and_another_calls_again() {
    for in_call in [true, false] {
        let counts = Counts::default();
        let begun = counts.clone();
        let inner = tower::service_fn(move |_: u64| {
            let running = begun.begin();
            assert!(!(in_call && running.call == 1), "the first call panics");
            async move {
                sleep(SECOND).await;
                assert!(running.call != 1, "the first call panics");
                let call = running.call;
                running.done();
                Ok::<_, BoxError>(call)
            }
        });
        let cached = by_number(&cache());
        let stack = stack(&cached, CoalesceLayer::new(cached.clone()), inner);
        let callers = (0..100).map(|_| AssertUnwindSafe(ask(&stack, 1)).catch_unwind());
        let (panics, answers): (Vec<_>, Vec<_>) =
            join_all(callers).await.into_iter().partition(Result::is_err);
        assert_eq!((panics.len(), answers.len()), (1, 99), "in call: {in_call}");
        for answer in answers {
            assert_eq!(answer.unwrap().unwrap().into_inner(), 2);
        }
        assert_eq!((counts.calls(), counts.most()), (2, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn promise_7_a_panic_of_the_keeper_reaches_one_caller_and_another_calls_again() {
    let (counts, kept) = (Counts::default(), Arc::new(AtomicUsize::new(0)));
    let mut house = House::new();
    let count = kept.clone();
    house.keep = Arc::new(move |(_, answer, deposit)| {
        assert!(count.fetch_add(1, SeqCst) != 0, "the keeper panics");
        deposit.store(answer, super::support::terms());
    });
    let stack = housed(&cache(), house, |layer| layer, house_origin(&counts));
    let callers = (0..100).map(|_| AssertUnwindSafe(ask(&stack, ONE)).catch_unwind());
    let answers = join_all(callers).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_err()).count(), 1);
    for answer in answers.into_iter().flatten() {
        assert_eq!(answer.unwrap().into_inner(), (2, 1));
    }
    assert_eq!((counts.calls(), counts.most(), kept.load(SeqCst)), (2, 1, 2));
}

#[tokio::test(start_paused = true)]
async fn promise_7_a_clone_that_panics_harms_its_own_caller_only() {
    let (counts, copies) = (Counts::default(), Arc::new(AtomicUsize::new(0)));
    let mut house = House::new();
    let count = copies.clone();
    house.restore = Arc::new(move |answer| {
        assert!(count.fetch_add(1, SeqCst) % 2 != 0, "every second copy panics");
        answer
    });
    let stack = housed(&cache(), house, |layer| layer, house_origin(&counts));
    let callers = (0..101).map(|_| AssertUnwindSafe(ask(&stack, ONE)).catch_unwind());
    let answers = join_all(callers).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_err()).count(), 50);
    assert!(answers.into_iter().flatten().all(|answer| answer.unwrap().into_inner() == (1, 1)));
    assert_eq!((counts.calls(), copies.load(SeqCst)), (1, 100));
    copies.fetch_add(1, SeqCst);
    assert_eq!(ask(&stack, ONE).await.unwrap().into_inner(), (1, 1), "it is kept");
}

#[tokio::test(start_paused = true)]
async fn promise_7_a_call_that_does_not_end_is_given_up_and_its_key_is_free_again() {
    let counts = Counts::default();
    let inner = origin(&counts, |call, _: u64| async move {
        if call == 1 {
            std::future::pending::<()>().await;
        }
        Ok(call)
    });
    let cached = by_number(&cache());
    let layer =
        CoalesceLayer::new(cached.clone()).hard_timeout(60 * SECOND).load_timeout(5 * SECOND);
    let stack = stack(&cached, layer, inner);
    let began = Instant::now();
    let (first, next) = join(ask(&stack, 1), ask(&stack, 1)).await;
    for answer in [first, next] {
        let error = answer.unwrap_err().downcast::<SharedError>().unwrap();
        assert!(error.get_ref().is::<Elapsed>());
    }
    assert!(began.elapsed() >= 5 * SECOND && began.elapsed() < 5 * SECOND + 5 * MILLI);
    assert_eq!((counts.calls(), counts.dropped()), (1, 1));
    assert_eq!(ask(&stack, 1).await.unwrap().into_inner(), 2);
    assert_eq!(counts.most(), 1);
}

#[tokio::test(start_paused = true)]
async fn promise_7_a_call_whose_caller_does_not_poll_it_holds_its_key_no_longer_than_its_limit() {
    let counts = Counts::default();
    let cached = by_number(&cache());
    let layer =
        CoalesceLayer::new(cached.clone()).hard_timeout(2 * SECOND).load_timeout(5 * SECOND);
    let stack = stack(&cached, layer, slow(&counts));
    let mut idle = Box::pin(ask(&stack, 1));
    assert!(futures::poll!(&mut idle).is_pending());
    let began = Instant::now();
    assert!(ask(&stack, 1).await.unwrap_err().is::<Elapsed>());
    assert!(began.elapsed() < 2 * SECOND + 3 * MILLI);
    advance(4 * SECOND).await;
    assert_eq!(ask(&stack, 1).await.unwrap().into_inner(), 2);
    drop(idle);
}

#[tokio::test(start_paused = true)]
async fn promise_7_after_a_loss_one_of_those_who_wait_calls_again() {
    let (counts, kept) = (Counts::default(), Arc::new(AtomicUsize::new(0)));
    let mut house = House::new();
    let count = kept.clone();
    house.keep = Arc::new(move |(_, answer, deposit)| match count.fetch_add(1, SeqCst) {
        // By the call, and by the fallback above, to which it is a response as any other.
        0 | 1 => drop(deposit),
        _ => deposit.store(answer, super::support::terms()),
    });
    let stack = housed(&cache(), house, |layer| layer, house_origin(&counts));
    let began = Instant::now();
    let answers = join_all((0..100).map(|_| ask(&stack, ONE))).await;
    let answers: Vec<_> =
        answers.into_iter().map(|answer| answer.unwrap().into_inner().0).collect();
    assert_eq!(answers.iter().filter(|call| **call == 1).count(), 1);
    assert_eq!(answers.iter().filter(|call| **call == 2).count(), 99);
    assert_eq!((counts.calls(), counts.most()), (2, 1));
    assert!(began.elapsed() < 2 * SECOND + 5 * MILLI);
}

#[tokio::test(start_paused = true)]
async fn promise_7_a_caller_waits_for_three_lost_calls_and_then_makes_his_own() {
    let counts = Counts::default();
    let mut house = House::new();
    house.keep = Arc::new(|(_, _, deposit)| drop(deposit));
    let stack = housed(&cache(), house, |layer| layer, house_origin(&counts));
    let began = Instant::now();
    let callers = (0..10).map(|_| async {
        ask(&stack, ONE).await.unwrap();
        began.elapsed().as_secs()
    });
    let mut ends = join_all(callers).await;
    ends.sort_unstable();
    assert_eq!(ends, [1, 2, 3, 4, 4, 4, 4, 4, 4, 4]);
    assert_eq!((counts.calls(), counts.most()), (10, 7));
}

#[tokio::test(start_paused = true)]
async fn promise_7_after_a_refusal_callers_go_apart_for_a_while_and_then_together_again() {
    let counts = Counts::default();
    let mut house = House::new();
    house.keep = Arc::new(|(_, _, deposit)| deposit.refuse());
    let stack = housed(&cache(), house, |layer| layer, house_origin(&counts));
    let began = Instant::now();
    let all = || join_all((0..10).map(|who| ask(&stack, Ask { key: 1, who })));
    for (who, answer) in (0..).zip(all().await) {
        assert_eq!(answer.unwrap().into_inner().1, who, "his own answer");
    }
    assert_eq!(counts.calls(), 10);
    assert!(began.elapsed() < 2 * SECOND + 5 * MILLI, "one call, then nine at once");
    let began = Instant::now();
    all().await;
    assert_eq!(counts.calls(), 20);
    assert!(began.elapsed() < SECOND + 5 * MILLI, "ten at once");
    sleep(5 * SECOND).await;
    let mut callers: Vec<_> =
        (0..10).map(|who| Box::pin(ask(&stack, Ask { key: 1, who }))).collect();
    for caller in &mut callers {
        assert!(futures::poll!(caller).is_pending());
    }
    assert_eq!((counts.calls(), counts.running()), (21, 1), "together again");
}

#[tokio::test(start_paused = true)]
async fn promise_7_a_response_that_is_a_failure_is_shared_if_it_can_be_and_never_kept() {
    for is_shared in [true, false] {
        let (counts, cache) = (Counts::default(), cache());
        let mut house = House::new();
        house.keep = Arc::new(move |(_, answer, deposit)| match is_shared {
            true => deposit.store(answer, super::support::terms()),
            false => deposit.refuse(),
        });
        let classify = |result: &Result<Answer, BoxError>| match result {
            Ok(_) => Outcome::Failure,
            Err(_) => Outcome::Ignored,
        };
        let cached = Cached::with(cache.clone(), house);
        let layer = CoalesceLayer::new(cached.clone()).classify(classify);
        let stack = FallbackLayer::new(cached)
            .classify(classify)
            .served()
            .layer(layer.layer(house_origin(&counts)));
        let answers = join_all((0..10).map(|_| ask(&stack, ONE))).await;
        let (responses, errors): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        for response in &responses {
            assert_eq!(*response.as_ref().unwrap().value(), (1, 1));
        }
        if is_shared {
            assert_eq!((responses.len(), errors.len()), (10, 0));
        } else {
            assert_eq!((responses.len(), errors.len()), (1, 9));
            for error in errors {
                let shared = error.unwrap_err().downcast::<SharedError>().unwrap();
                assert!(shared.get_ref().is::<FailedResponse>());
            }
        }
        assert_eq!(counts.calls(), 1);
        assert!(cache.is_empty());
    }
}
