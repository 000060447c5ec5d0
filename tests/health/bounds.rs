//! What a target and its monitor hold, however long they live and whatever they are told.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Waker},
};

use tokio::time::advance;
use tower_failover::{
    BoxError,
    event::Event,
    health::{Grade, Health},
};

use crate::support::{EXACT, SECOND, paused};

const CHECKS: usize = 100_000;

#[test]
fn a_monitor_and_its_history_stay_below_64_kib() {
    let (probes, changes) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (probed, told) = (probes.clone(), changes.clone());
    let long = "€ ".repeat(4_000);
    let text: &'static str = Box::leak(long.clone().into_boxed_str());
    let mut kept = 0;
    let counted = allocation_counter::measure(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let probe = move || {
                let n = probed.fetch_add(1, Ordering::Relaxed);
                // Ten good ones, then ten bad ones: a change with each.
                let result = if n / 10 % 2 == 0 { Ok(()) } else { Err(BoxError::from(text)) };
                std::future::ready(result)
            };
            let policy = EXACT.fall(1).rise(1);
            let mut parts = None;
            let counted = allocation_counter::measure(|| {
                let observer = move |event: &Event<'_>| {
                    let Event::Health(change) = event else { panic!("{event}") };
                    assert!(change.reason().len() <= 256);
                    told.fetch_add(1, Ordering::Relaxed);
                };
                let builder = Health::builder(String::from("bounded")).policy(policy);
                parts = Some(builder.observe(observer).probe(probe).monitor());
            });
            let (health, mut monitor) = parts.unwrap();
            let mut most = counted.bytes_current;
            let mut now = counted.bytes_current;
            while probes.load(Ordering::Relaxed) < CHECKS {
                let counted = allocation_counter::measure(|| {
                    let mut cx = Context::from_waker(Waker::noop());
                    assert!(Pin::new(&mut monitor).poll(&mut cx).is_pending());
                });
                most = most.max(now + counted.bytes_max as i64);
                now += counted.bytes_current;
                advance(SECOND).await;
            }
            kept = most;
            assert_eq!(health.history().len(), 64);
            assert!(health.history().iter().any(|change| change.reason().len() == 256));
            assert_eq!(health.grade(), Grade::Unhealthy);
        });
    });
    assert!(counted.count_total > 100_000, "the counter does not count");
    assert!(probes.load(Ordering::Relaxed) >= CHECKS);
    assert!(changes.load(Ordering::Relaxed) >= CHECKS / 10, "{changes:?}");
    assert!(kept < 64 * 1024, "{kept} bytes");
    assert!(kept > 64 * 256, "{kept} bytes hold no 64 texts: not everything was counted");
}

#[test]
fn asking_a_healthy_target_allocates_nothing() {
    paused(async {
        let health = Health::new("fine");
        health.succeeded(SECOND);
        let mut refused = 0;
        let ask = |refused: &mut usize| {
            for _ in 0..1_000 {
                *refused += usize::from(health.refusal().is_some());
                *refused += usize::from(health.grade() != Grade::Healthy);
                *refused += usize::from(health.is_monitored());
            }
        };
        let counted = allocation_counter::measure(|| ask(&mut refused));
        assert_eq!((refused, counted.count_total), (0, 0));
        health.down("unplugged");
        ask(&mut refused);
        assert_eq!(refused, 2_000);
    });
}

#[test]
fn texts_are_cut_whoever_says_them() {
    paused(async {
        let health = Health::builder("cut").policy(EXACT.fall(1).rise(1)).build();
        let long = "€".repeat(1_000);
        health.failed(&long);
        assert_eq!(health.refusal().unwrap().reason(), "€".repeat(85));
        health.succeeded(SECOND);
        health.down(long);
        let snapshot = health.snapshot();
        assert_eq!(snapshot.reason.as_str(), "€".repeat(85));
        assert_eq!(snapshot.last_error.unwrap().as_str(), "€".repeat(85));
        assert!(health.history().iter().all(|change| change.reason().len() <= 256));
    });
}
