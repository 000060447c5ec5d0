//! What becomes of calls before anything is known of their target.

use tokio_test::{assert_pending, assert_ready, task};
use tower::{Layer, ServiceExt};
use tower_failover::health::{Grade, Health, HealthGateLayer, Policy, WhileUnknown};

use crate::{
    SECOND,
    backend::{Backend, Work},
    call, refusal, unwatched,
};

fn unknown(calls: WhileUnknown) -> Health {
    let health = unwatched(Policy::new().while_unknown(calls));
    assert_eq!(health.grade(), Grade::Unknown);
    health
}

#[tokio::test(start_paused = true)]
async fn health_promise_2_while_unknown_calls_pass_or_are_refused_as_chosen() {
    for (calls, passes) in
        [(WhileUnknown::Pass, true), (WhileUnknown::Wait, false), (WhileUnknown::Refuse, false)]
    {
        let health = unknown(calls);
        let backend = Backend::new(Work::Succeeds);
        let mut service = HealthGateLayer::new(health.clone()).layer(backend.clone());
        let answer = call(&mut service).await;
        assert_eq!((answer.is_ok(), refusal(&answer).is_none()), (passes, passes), "{calls:?}");
        assert_eq!(backend.polled.get(), usize::from(passes));
        health.up();
        call(&mut service).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn health_promise_2_while_unknown_calls_wait_if_so_chosen() {
    for is_up in [true, false] {
        let health = unknown(WhileUnknown::Wait);
        let backend = Backend::new(Work::Succeeds);
        let layer = HealthGateLayer::new(health.clone()).hold_for(SECOND, 1);
        let mut held = task::spawn(layer.layer(backend.clone()).oneshot(()));
        assert_pending!(held.poll());
        assert_eq!(backend.polled.get(), 0);
        if is_up {
            health.up();
            assert!(held.is_woken());
            assert_ready!(held.poll()).unwrap();
        } else {
            health.down("dead at boot");
            assert_pending!(held.poll(), "it may be back within the limit");
            let answer = held.await;
            assert_eq!(refusal(&answer).unwrap().reason(), "dead at boot");
        }
        assert_eq!(backend.called.get(), usize::from(is_up));
    }
}

#[tokio::test(start_paused = true)]
async fn health_promise_2_who_chose_to_refuse_does_not_hold_what_is_unknown() {
    let health = unknown(WhileUnknown::Refuse);
    let layer = HealthGateLayer::new(health.clone()).hold_for(SECOND, 1);
    let service = layer.layer(Backend::new(Work::Succeeds));
    let mut refused = task::spawn(service.clone().oneshot(()));
    assert!(refusal(&assert_ready!(refused.poll())).is_some());

    health.down("broken");
    assert_pending!(task::spawn(service.oneshot(())).poll(), "what is unhealthy is held");

    let health = unknown(WhileUnknown::Pass);
    let layer = HealthGateLayer::new(health).hold_for(SECOND, 1);
    assert_ready!(task::spawn(layer.layer(Backend::new(Work::Succeeds)).oneshot(())).poll())
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn health_promise_2_settings_that_let_the_unknown_pass_wake_who_waits_for_it() {
    let health = unknown(WhileUnknown::Wait);
    let layer = HealthGateLayer::new(health.clone()).hold_for(SECOND, 1);
    let mut held = task::spawn(layer.layer(Backend::new(Work::Succeeds)).oneshot(()));
    assert_pending!(held.poll());
    health.set_policy(health.policy().while_unknown(WhileUnknown::Pass)).unwrap();
    assert!(held.is_woken());
    assert_ready!(held.poll()).unwrap();

    let health = unknown(WhileUnknown::Wait);
    let layer = HealthGateLayer::new(health.clone()).hold_for(SECOND, 1);
    let mut held = task::spawn(layer.layer(Backend::new(Work::Succeeds)).oneshot(()));
    assert_pending!(held.poll());
    health.set_policy(health.policy().while_unknown(WhileUnknown::Refuse)).unwrap();
    assert!(held.is_woken());
    assert!(refusal(&assert_ready!(held.poll())).is_some());
}
