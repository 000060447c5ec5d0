//! Answers that not everybody may have: invalidated ones, and those of other people.

use std::sync::Arc;

use futures::future::join_all;
use tokio::time::sleep;
use tower_failover::fallback::{
    Source,
    cached::{Cache, Cached, CoalesceLayer},
};

use super::{
    house::{Ask, House, housed},
    support::{Counts, SECOND, ask, cache, origin, terms},
};

fn one(who: u64) -> Ask {
    Ask { key: 1, who }
}

#[tokio::test(start_paused = true)]
async fn promise_7_nobody_joins_a_call_that_began_before_an_invalidation() {
    type Forget = fn(&Cache<u64, (usize, u64)>);
    let kinds: [(&str, Forget); 4] = [
        ("key", |cache| cache.invalidate(&1)),
        ("tag", |cache| cache.invalidate_tag("ones")),
        ("function", |cache| cache.invalidate_if(|key, _| *key == 1)),
        ("all", |cache| cache.invalidate_all()),
    ];
    for (kind, forget) in kinds {
        let (counts, cache) = (Counts::default(), cache());
        let mut house = House::new();
        house.keep = Arc::new(|(_, answer, deposit)| deposit.store(answer, terms().tag("ones")));
        let inner = origin(&counts, |call, ask: Ask| async move {
            sleep(SECOND).await;
            Ok((call, ask.who))
        });
        let stack = housed(&cache, house, |layer| layer, inner);
        let mut early: Vec<_> = (0..10).map(|who| Box::pin(ask(&stack, one(who)))).collect();
        for caller in &mut early {
            assert!(futures::poll!(caller).is_pending());
        }
        tokio::time::advance(SECOND / 2).await;
        forget(&cache);
        let mut late: Vec<_> = (10..20).map(|who| Box::pin(ask(&stack, one(who)))).collect();
        for caller in &mut late {
            assert!(futures::poll!(caller).is_pending());
        }
        assert_eq!((counts.calls(), counts.running()), (2, 2), "{kind}");
        for answer in join_all(early).await {
            assert_eq!(answer.unwrap().into_inner(), (1, 0), "{kind}");
        }
        assert!(cache.get(&1).is_none(), "{kind}: the first answer is not kept");
        for answer in join_all(late).await {
            assert_eq!(answer.unwrap().into_inner(), (2, 10), "{kind}");
        }
        assert_eq!(cache.get(&1).unwrap().into_inner(), (2, 10), "{kind}");
        assert_eq!(counts.calls(), 2, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn promise_7_an_invalidation_of_another_key_disturbs_no_call() {
    let (counts, cache) = (Counts::default(), cache());
    let inner = origin(&counts, |call, ask: Ask| async move {
        sleep(SECOND).await;
        Ok((call, ask.who))
    });
    let stack = housed(&cache, House::new(), |layer| layer, inner);
    let mut early = Box::pin(ask(&stack, one(0)));
    assert!(futures::poll!(&mut early).is_pending());
    cache.invalidate(&2);
    let late = ask(&stack, one(1));
    let (early, late) = futures::future::join(early, late).await;
    assert_eq!((early.unwrap().into_inner(), late.unwrap().into_inner()), ((1, 0), (1, 0)));
    assert_eq!(counts.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn promise_7_who_may_not_have_the_answer_of_another_makes_his_own_call() {
    let (counts, cache) = (Counts::default(), cache());
    let mut house = House::new();
    // The even may have what the even got, and the odd what the odd got.
    house.permits = Arc::new(|(ask, (_, who))| ask.who % 2 == who % 2);
    house.admits = house.permits.clone();
    let inner = origin(&counts, |call, ask: Ask| async move {
        sleep(SECOND).await;
        Ok((call, ask.who))
    });
    let stack = housed(&cache, house, |layer| layer, inner);
    let answers = join_all((0..100).map(|who| ask(&stack, one(who)))).await;
    for (who, answer) in (0..).zip(answers) {
        assert_eq!(answer.unwrap().value().1 % 2, who % 2, "for {who}");
    }
    assert_eq!((counts.calls(), counts.most()), (2, 1), "one for each half");
}

#[tokio::test(start_paused = true)]
async fn promise_7_who_may_have_no_answer_of_another_asks_at_most_four_times() {
    let (counts, cache) = (Counts::default(), cache());
    let mut house = House::new();
    house.permits = Arc::new(|(ask, (_, who))| ask.who == who);
    house.admits = house.permits.clone();
    let inner = origin(&counts, |call, ask: Ask| async move {
        sleep(SECOND).await;
        Ok((call, ask.who))
    });
    let stack = housed(&cache, house, |layer| layer, inner);
    let began = tokio::time::Instant::now();
    let answers = join_all((0..10).map(|who| ask(&stack, one(who)))).await;
    for (who, answer) in (0..).zip(answers) {
        let served = answer.unwrap();
        assert_eq!((served.source(), served.into_inner().1), (Source::Primary, who));
    }
    assert_eq!(counts.calls(), 10);
    assert!(began.elapsed() < 4 * SECOND + SECOND / 100);
}

#[tokio::test(start_paused = true)]
async fn promise_7_requests_without_a_key_do_not_wait_for_each_other() {
    let counts = Counts::default();
    let cache = cache();
    let cached = Cached::new(cache.clone(), |_: &u64| None::<u64>);
    let layer = CoalesceLayer::new(cached.clone());
    let inner = super::support::slow(&counts);
    let stack = tower::Layer::layer(
        &tower_failover::FallbackLayer::new(cached).served(),
        tower::Layer::layer(&layer, inner),
    );
    join_all((0..10).map(|_| ask(&stack, 1))).await;
    assert_eq!((counts.calls(), counts.most(), cache.len()), (10, 10, 0));
}
