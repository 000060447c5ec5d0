//! Good news and bad news that come while checks run, and from others than the monitor.

use std::sync::{
    Arc, Mutex, OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use tokio::time::{Instant, sleep, timeout};
use tower_failover::{
    Backoff, BoxError,
    circuit_breaker::{self, Circuit},
    event::{Event, Observer},
    health::{Grade, Health},
};

use crate::support::{ANSWERS, Act, EXACT, MILLISECOND, SECOND, Ward};

#[tokio::test(start_paused = true)]
async fn health_promise_4_a_check_that_began_before_the_bad_news_says_nothing_of_it() {
    for (rise, early) in [(1, 100), (2, 100), (1, 390), (2, 390)] {
        let ward = Ward::new(Act::Answers(400 * MILLISECOND), EXACT.rise(rise));
        ward.checked(1).await;
        ward.target.probed(3).await;
        sleep(early * MILLISECOND).await;
        assert_eq!(ward.target.under_way(), 1);
        let down = Instant::now();
        ward.health.down("the connection was lost");
        timeout(60 * SECOND, ward.health.wait_until_healthy()).await.unwrap();
        let since = ward.target.times().iter().filter(|at| **at >= down).count();
        assert_eq!(since, rise as usize, "began since, to call it healthy");
        assert!(down.elapsed() <= EXACT.rise(rise).recovers_within(), "{:?}", down.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_succeed_do_not_hide_probes_that_fail() {
    let ward = Ward::new(ANSWERS, EXACT);
    ward.checked(1).await;
    let fails = Instant::now();
    ward.target.now(Act::Fails);
    while ward.health.grade() != Grade::Unhealthy {
        sleep(SECOND / 10).await;
        ward.health.succeeded(MILLISECOND);
        assert!(fails.elapsed() <= EXACT.detects_within(), "{:?}", ward.health.snapshot());
    }
}

#[tokio::test(start_paused = true)]
async fn calls_slower_than_probes_do_not_degrade_a_monitored_target() {
    let ward = Ward::new(Act::Answers(MILLISECOND), EXACT);
    ward.checked(30).await;
    for _ in 0..600 {
        sleep(SECOND / 10).await;
        ward.health.succeeded(50 * MILLISECOND);
    }
    assert_eq!(ward.diary.grades(), [Grade::Healthy]);
    for _ in 0..3 {
        ward.health.failed("seen by callers");
    }
    assert_eq!(ward.health.grade(), Grade::Unhealthy, "bad news is believed");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_back_at_once_shuts_the_gate_for_no_more_than_an_eighth_of_an_interval()
 {
    let ward = Ward::new(ANSWERS, EXACT.interval(8 * SECOND).rise(3));
    ward.checked(2).await;
    let signals = ward.health.signals();
    let error: BoxError = "closed by peer".into();
    sleep(SECOND).await;
    let lost = Instant::now();
    let (server, retry_after) = ("s", SECOND);
    signals.on_event(&Event::Disconnected { server, error: &*error, retry_after });
    sleep(2 * MILLISECOND).await;
    signals.on_event(&Event::Connected { server });
    let promised = ward.health.refusal().unwrap().retry_after().unwrap();
    assert_eq!(promised, 2 * SECOND, "an eighth for each but the first");
    timeout(60 * SECOND, ward.health.wait_until_healthy()).await.unwrap();
    assert!(lost.elapsed() <= 2 * SECOND + 5 * MILLISECOND, "{:?}", lost.elapsed());
    assert_eq!(ward.target.probes(), 5, "three checks, as `rise` says");
    ward.target.probed(6).await;
    let times = ward.target.times();
    assert!(times[5] - times[4] > 7 * SECOND, "then as before");
}

#[tokio::test(start_paused = true)]
async fn good_news_from_within_a_check_does_not_make_checks_run_without_a_pause() {
    let health = Arc::new(OnceLock::<Health>::new());
    let checks = Arc::new(AtomicUsize::new(0));
    let (of, counted) = (health.clone(), checks.clone());
    let (handle, monitor) = Health::builder("own connection")
        .policy(EXACT)
        .probe(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            if let Some(health) = of.get() {
                health.signals().on_event(&Event::Connected { server: "of the probe" });
            }
            async {
                sleep(MILLISECOND).await;
                Ok::<_, BoxError>(())
            }
        })
        .monitor();
    drop(health.set(handle));
    drop(tokio::spawn(monitor));
    sleep(60 * SECOND).await;
    let checks = checks.load(Ordering::Relaxed);
    assert!((60..=500).contains(&checks), "{checks} checks in a minute");
}

#[tokio::test(start_paused = true)]
async fn a_shorter_timeout_counts_for_the_check_under_way() {
    let policy = EXACT.interval(600 * SECOND).timeout(600 * SECOND);
    let ward = Ward::new(ANSWERS, policy);
    ward.checked(1).await;
    ward.target.now(Act::Hangs);
    ward.target.probed(2).await;
    sleep(SECOND).await;
    let changed = Instant::now();
    ward.health.set_policy(EXACT).unwrap();
    let found = ward.diary.hears(Grade::Unhealthy, changed).await - changed;
    assert!(found <= EXACT.detects_within(), "{found:?}");
    let error = ward.health.snapshot().last_error.unwrap();
    assert_eq!(error.as_str(), "no answer within 500ms");
}

fn circuit(health: &Health, policy: circuit_breaker::Policy) -> Circuit {
    Circuit::builder("c").policy(policy).observe(health.signals()).build()
}

fn opens(health: &Health) -> Circuit {
    let open_for = Backoff::fixed(2 * SECOND);
    let policy = circuit_breaker::Policy::consecutive(1).open_for(open_for);
    let circuit = circuit(health, policy);
    circuit.permit().unwrap().failure();
    assert_eq!(health.grade(), Grade::Unhealthy);
    circuit
}

#[tokio::test(start_paused = true)]
async fn a_hand_on_a_circuit_says_nothing_of_the_target() {
    let health = Health::new("unplugged");
    health.down("unplugged");
    let circuit = opens(&health);
    circuit.reset();
    assert_eq!(health.grade(), Grade::Unhealthy, "reset");
    circuit.force_open();
    circuit.release();
    assert_eq!(health.grade(), Grade::Unhealthy, "released");
    assert_eq!(health.history().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_one_late_success_does_not_shut_the_gate_for_good() {
    let health = Health::new("passive");
    health.succeeded(MILLISECOND);
    let _circuit = opens(&health);
    health.succeeded(300 * MILLISECOND);
    assert_eq!(health.grade(), Grade::Unhealthy);
    assert_eq!(health.refusal().unwrap().retry_after(), Some(2 * SECOND));
    sleep(2 * SECOND).await;
    assert!(health.refusal().is_none());
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_grade_and_refusal_agree_when_a_refusal_is_over() {
    let health = Health::new("passive");
    health.succeeded(MILLISECOND);
    let circuit = opens(&health);
    for _ in 0..3 {
        assert_eq!(health.grade(), Grade::Unhealthy);
        assert!(health.refusal().is_some());
        sleep(2 * SECOND).await;
        assert_eq!((health.grade(), health.snapshot().grade), (Grade::Unknown, Grade::Unknown));
        assert!(health.refusal().is_none());
        circuit.permit().unwrap().failure();
    }
    sleep(2 * SECOND).await;
    circuit.permit().unwrap().success();
    assert_eq!(health.grade(), Grade::Healthy);
    assert_eq!(health.history().len(), 3, "the clock changes no grade by itself");
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_a_monitor_that_goes_leaves_no_gate_shut() {
    use tower_failover::health::WhileUnknown;
    for unknown in [WhileUnknown::Pass, WhileUnknown::Wait, WhileUnknown::Refuse] {
        let (health, monitor) = Health::builder("left alone")
            .policy(EXACT.while_unknown(unknown))
            .probe(async || Err::<(), _>(BoxError::from("refused")))
            .monitor();
        drop(monitor);
        assert!(health.refusal().is_none(), "{unknown:?}, before its first check");

        let (health, monitor) = Health::builder("left alone")
            .policy(EXACT.while_unknown(unknown))
            .probe(async || Err::<(), _>(BoxError::from("refused")))
            .monitor();
        let task = tokio::spawn(monitor);
        assert_eq!(health.check_now().await, Grade::Unhealthy);
        task.abort();
        drop(task.await);
        assert_eq!((health.refusal().is_none(), health.grade()), (true, Grade::Unknown));
        health.succeeded(MILLISECOND);
        assert!(health.refusal().is_none(), "{unknown:?}, after a good call");
        health.succeeded(MILLISECOND);
        assert_eq!(health.grade(), Grade::Healthy);
    }
}

/// Panics as often as it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the payload of a panic panics");
    }
}

#[tokio::test(start_paused = true)]
async fn health_promise_1_a_panic_whose_payload_panics_does_not_stop_the_monitor() {
    let (checks, told) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(0)));
    let (counted, heard) = (checks.clone(), told.clone());
    let (health, monitor) = Health::builder("bomb")
        .policy(EXACT)
        .observe(move |_: &Event<'_>| {
            *heard.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += 1;
            std::panic::panic_any(Bomb)
        })
        .probe(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            async { if true { std::panic::panic_any(Bomb) } else { Ok::<_, BoxError>(()) } }
        })
        .monitor();
    let task = tokio::spawn(monitor);
    sleep(10 * SECOND).await;
    assert!(!task.is_finished());
    assert!(checks.load(Ordering::Relaxed) >= 10);
    assert_eq!(*told.lock().unwrap_or_else(std::sync::PoisonError::into_inner), 1);
    assert_eq!(health.refusal().unwrap().reason(), "its probe panicked");
}
