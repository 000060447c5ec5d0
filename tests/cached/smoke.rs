use std::time::Duration;

use tokio_test::{assert_ready_ok, task::spawn};
use tower::{Layer, Service};
use tower_failover::{
    BoxError, Ratio,
    fallback::{
        FallbackLayer, Source,
        cached::{Cache, Cached, Terms},
    },
};
use tower_test::mock::{self, Mock};

#[tokio::test(start_paused = true)]
async fn an_answer_is_fresh_then_stale_then_gone() {
    let (cache, _upkeep) = Cache::<&str, &str>::builder("test").build();
    let terms = Terms::new()
        .fresh_for(Duration::from_secs(10))
        .stale_for(Duration::from_secs(5))
        .jitter(Ratio::percent(0));
    let cached = Cached::new(cache, |request: &&'static str| Some(*request)).terms(terms);
    let layer = FallbackLayer::<_, BoxError>::new(cached).served();
    let (inner, mut backend): (Mock<&'static str, &'static str>, _) = mock::pair();
    let mut service = layer.layer(inner);

    backend.allow(10);
    assert_ready_ok!(spawn(std::future::poll_fn(|cx| service.poll_ready(cx))).poll());
    let mut call = spawn(service.call("a"));
    assert!(call.poll().is_pending());
    backend.next_request().await.unwrap().1.send_response("A");
    assert_eq!(call.await.unwrap().source(), Source::Primary);

    tokio::time::advance(Duration::from_secs(9)).await;
    let served = service.call("a").await.unwrap();
    assert_eq!(served.source(), Source::Cache { age: Duration::from_secs(9) });
    assert_eq!(served.into_inner(), "A");

    for (wait, expected) in [(1, Some(10)), (4, Some(14)), (1, None)] {
        tokio::time::advance(Duration::from_secs(wait)).await;
        assert_ready_ok!(spawn(std::future::poll_fn(|cx| service.poll_ready(cx))).poll());
        let mut call = spawn(service.call("a"));
        assert!(call.poll().is_pending());
        backend.next_request().await.unwrap().1.send_error("down");
        match expected {
            Some(age) => {
                let age = Duration::from_secs(age);
                assert_eq!(call.await.unwrap().source(), Source::Stale { age });
            }
            None => assert_eq!(call.await.unwrap_err().to_string(), "down"),
        }
    }
}
