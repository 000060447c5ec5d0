//! A stream that is dropped half-way follows the circuit's policy, each of the three.

use std::time::Duration;

use futures::{StreamExt, stream};
use tower_failover::circuit_breaker::{Cancelled, State};

use crate::{FRAGILE, SECOND, circuit, pair, support::Answer};

fn endless(_: String) -> Answer {
    Ok(stream::iter([Ok("hel".to_owned())]).chain(stream::pending()).boxed())
}

async fn drop_half_way(policy: Cancelled) -> State {
    let circuit = circuit(FRAGILE.cancelled(policy));
    let (words, _server, mut client) = pair(&circuit, endless);
    let mut stream = client.list("word").await.unwrap();
    assert_eq!(stream.message().await.unwrap().unwrap(), "hel");
    assert_eq!(circuit.state(), State::Closed);
    drop(stream);
    assert_eq!(words.calls(), 1);
    circuit.state()
}

#[tokio::test]
async fn one_that_is_dropped_half_way_says_nothing_by_default() {
    assert_eq!(drop_half_way(Cancelled::Ignored).await, State::Closed);
}

#[tokio::test]
async fn one_that_is_dropped_half_way_is_a_failure_if_the_policy_says_so() {
    assert_eq!(drop_half_way(Cancelled::Failure).await, State::Open);
}

#[tokio::test]
async fn one_that_is_dropped_half_way_is_a_failure_from_a_given_time_on() {
    assert_eq!(drop_half_way(Cancelled::FailureAfter(Duration::ZERO)).await, State::Open);
    assert_eq!(drop_half_way(Cancelled::FailureAfter(600 * SECOND)).await, State::Closed);
}

#[tokio::test]
async fn one_that_is_dropped_after_its_head_and_before_its_first_message_was_cancelled_too() {
    for (policy, state) in [(Cancelled::Ignored, State::Closed), (Cancelled::Failure, State::Open)]
    {
        let circuit = circuit(FRAGILE.cancelled(policy));
        let (_words, _server, mut client) = pair(&circuit, endless);
        drop(client.list("word").await.unwrap());
        assert_eq!(circuit.state(), state, "{policy:?}");
    }
}
