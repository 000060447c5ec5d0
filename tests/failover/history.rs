//! Promise 6: a bounded history of failovers and recoveries, with times, trigger, duration and
//! success; callbacks.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::FutureExt;
use tokio::time::sleep;
use tower::{Service, ServiceExt};
use tower_failover::{
    event::Event,
    failover::{Control, Failover, Policy, Repeat, Trigger},
};

use crate::support::{Fault, Log, Site, call, keep, line};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn failover_promise_6_each_switch_says_when_why_how_long_and_whether_it_helped() {
    let (a, b, c, log) = (Site::new("a"), Site::new("b"), Site::new("c"), Log::default());
    let mut failover = keep(
        Failover::builder("sessions")
            .backend(a.backend())
            .backend(b.backend().tier(1))
            .backend(c.backend().tier(2))
            .repeat(Repeat::Always)
            .policy(Policy::new().attempt_timeout(SECOND))
            .observe(log.observer())
            .build(),
    );
    a.set(Fault::Hangs);
    b.set(Fault::Refused);
    c.set(Fault::Slow(SECOND / 2));
    assert_eq!(call(&mut failover).await.unwrap(), "c");
    let history = failover.control().history();
    let lines: Vec<_> = history.iter().map(line).collect();
    assert_eq!(lines, ["none→a start", "a→b timeout", "b→c cascade"]);
    assert_eq!(log.lines(), lines, "observers are told the same");
    let success: Vec<_> = history.iter().map(|switch| switch.success()).collect();
    assert_eq!(success, [Some(false), Some(false), Some(true)]);
    let served: Vec<_> = history.iter().map(|switch| switch.served_after()).collect();
    assert_eq!(served[..2], [None, None]);
    let served = served[2].unwrap();
    assert!(served >= SECOND / 2 && served < SECOND * 6 / 10, "{served:?}");
    let waited = history[1].switched_after();
    assert!(waited > SECOND * 9 / 10 && waited <= SECOND, "{waited:?}");
    assert_eq!(history[2].switched_after(), Duration::ZERO);
    assert_eq!(history[1].reason(), "no answer of backend a within 1s");
    assert_eq!(history[2].reason(), "connection refused");
    assert!(history.iter().all(|switch| switch.failover().as_str() == "sessions"));
    assert!(history[1].at() <= history[2].at());
}

#[tokio::test(start_paused = true)]
async fn failover_promise_6_a_switch_that_nobody_has_used_yet_is_undecided() {
    let (a, b) = (Site::new("a"), Site::new("b"));
    let mut failover =
        keep(Failover::builder("sessions").backend(a.backend()).backend(b.backend()).build());
    assert_eq!(call(&mut failover).await.unwrap(), "a");
    failover.control().fail_over("b", "why not", None).unwrap();
    let last = |control: &Control| control.history().last().unwrap().clone();
    let control = failover.control();
    assert_eq!((last(&control).success(), last(&control).served_after()), (None, None));
    sleep(3 * SECOND).await;
    assert_eq!(call(&mut failover).await.unwrap(), "b");
    assert_eq!(last(&control).served_after(), Some(3 * SECOND));
    assert_eq!(last(&control).success(), Some(true));
    sleep(SECOND).await;
    assert_eq!(call(&mut failover).await.unwrap(), "b");
    assert_eq!(last(&control).served_after(), Some(3 * SECOND), "the first answer counts");
    assert_eq!(last(&control).trigger(), Trigger::Manual);
}

#[tokio::test(start_paused = true)]
async fn failover_promise_6_the_history_is_bounded() {
    let (a, b) = (Site::new("a"), Site::new("b"));
    let failover =
        keep(Failover::builder("sessions").backend(a.backend()).backend(b.backend()).build());
    let control = failover.control();
    let mut told = 0;
    for n in 0..1_000 {
        control.fail_over(if n % 2 == 0 { "b" } else { "a" }, &n.to_string(), None).unwrap();
        told += 1;
        assert_eq!(control.history().len(), (told + 1).min(64));
    }
    let reasons: Vec<_> = control.history().iter().map(|it| it.reason().to_owned()).collect();
    let expected: Vec<_> = (936..1_000).map(|n| n.to_string()).collect();
    assert_eq!(reasons, expected);
}

#[tokio::test(start_paused = true)]
async fn failover_promise_6_observers_are_told_in_order_after_the_new_state_is_visible() {
    let (a, b) = (Site::new("a"), Site::new("b"));
    let control: Arc<Mutex<Option<Control>>> = Arc::default();
    let seen: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
    let looks = {
        let (control, seen) = (control.clone(), seen.clone());
        move |event: &Event<'_>| {
            let Event::Switched(switch) = event else { return };
            let control = control.lock().unwrap().clone();
            let Some(control) = control else { return };
            let active = control.status().active.map_or("none".to_owned(), |it| it.to_string());
            seen.lock().unwrap().push((line(switch), active));
            // One that acts on what it is told harms nothing.
            if switch.reason() == "there" {
                control.fail_over("a", "back", None).unwrap();
            }
        }
    };
    let failover = keep(
        Failover::builder("sessions")
            .backend(a.backend())
            .backend(b.backend())
            .observe(looks)
            .build(),
    );
    *control.lock().unwrap() = Some(failover.control());
    failover.control().fail_over("b", "there", None).unwrap();
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    let expected = [("a→b manual", "b"), ("b→a manual", "a")];
    assert_eq!(seen, expected.map(|(line, active)| (line.to_owned(), active.to_owned())));
    control.lock().unwrap().take();
}

#[tokio::test(start_paused = true)]
async fn failover_promise_6_an_observer_that_panics_harms_nobody() {
    let (a, b, told) = (Site::new("a"), Site::new("b"), Arc::new(AtomicUsize::new(0)));
    let log = Log::default();
    let panics = {
        let told = told.clone();
        move |_: &Event<'_>| {
            told.fetch_add(1, Ordering::Relaxed);
            panic!("as told");
        }
    };
    let mut failover = keep(
        Failover::builder("sessions")
            .backend(a.backend())
            .backend(b.backend().tier(1))
            .repeat(Repeat::Always)
            .observe(panics)
            .observe(log.observer())
            .build(),
    );
    a.set(Fault::Refused);
    assert_eq!(call(&mut failover).await.unwrap(), "b");
    a.set(Fault::Nothing);
    failover.control().recover("again");
    assert_eq!(call(&mut failover).await.unwrap(), "a");
    assert_eq!(log.lines(), ["none→a start", "a→b connection", "b→a manual"]);
    assert_eq!(told.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn failover_promise_6_an_answer_to_a_call_of_before_confirms_no_switch() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let mut failover = keep(
        Failover::builder("sessions")
            .backend(eu.backend())
            .backend(us.backend().tier(1))
            .policy(Policy::new().attempt_timeout(60 * SECOND))
            .repeat(Repeat::Always)
            .build(),
    );
    eu.set(Fault::Slow(10 * SECOND));
    let early = tokio::spawn({
        let mut failover = failover.clone();
        async move { call(&mut failover).await }
    });
    sleep(SECOND).await;
    let control = failover.control();
    control.fail_over("us", "out", None).unwrap();
    sleep(SECOND).await;
    control.recover("back");
    assert_eq!(early.await.unwrap().unwrap(), "eu");
    let last = control.history().pop().unwrap();
    assert_eq!(line(&last), "us→eu manual");
    assert_eq!((last.success(), last.served_after()), (None, None));
    assert_eq!(call(&mut failover).await.unwrap(), "eu");
    let last = control.history().pop().unwrap();
    let served = last.served_after().unwrap();
    assert_eq!(last.success(), Some(true));
    assert!(served >= 18 * SECOND && served < 19 * SECOND, "{served:?}");
}

#[tokio::test(start_paused = true)]
async fn failover_promise_6_a_call_that_had_to_wait_confirms_a_switch_after_which_it_was_sent() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let mut failover = keep(
        Failover::builder("sessions")
            .backend(eu.backend())
            .backend(us.backend().tier(1))
            .policy(Policy::new().attempt_timeout(60 * SECOND))
            .build(),
    );
    eu.set(Fault::NeverReady);
    let mut early = Box::pin(failover.ready().await.unwrap().call(1));
    assert!(early.as_mut().now_or_never().is_none());
    let control = failover.control();
    control.fail_over("us", "out", None).unwrap();
    control.recover("back");
    sleep(3 * SECOND).await;
    assert_eq!((eu.calls(), control.history().len()), (0, 3));
    eu.set(Fault::Nothing);
    assert_eq!(early.await.unwrap(), "eu");
    let last = control.history().pop().unwrap();
    assert_eq!(line(&last), "us→eu manual");
    assert_eq!((last.success(), last.served_after()), (Some(true), Some(3 * SECOND)));
}
