//! Who is told of changes: in order, after the new grade is visible, and without doing harm.

use std::{
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, SystemTime},
};

use tokio::time::{Instant, sleep};
use tower_failover::{
    event::Event,
    health::{Grade, Health},
};

use crate::support::{ANSWERS, Act, Diary, EXACT, SECOND, Target, paused};

use Grade::{Healthy, Unhealthy, Unknown};

/// Runs a test in paused time on a thread of its own: a deadlock fails it, instead of hanging.
fn watched<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    let (done, end) = mpsc::channel();
    let thread = thread::spawn(move || {
        paused(test());
        done.send(()).unwrap();
    });
    match end.recv_timeout(Duration::from_secs(10)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("a deadlock"),
        Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    }
}

/// A health whose observer may use it, and what a second observer hears.
fn observed(act: impl Fn(&Health, &Event<'_>) + Send + Sync + 'static) -> (Health, Diary) {
    let (diary, itself) = (Diary::default(), Arc::new(OnceLock::<Health>::new()));
    let seen = itself.clone();
    let health = Health::builder("told")
        .policy(EXACT.fall(1).rise(1))
        .observe(move |event: &Event<'_>| act(seen.get().unwrap(), event))
        .observe(diary.clone())
        .build();
    itself.set(health.clone()).unwrap();
    (health, diary)
}

#[test]
fn health_promise_1_an_observer_that_panics_does_not_stop_the_probing() {
    watched(|| async {
        let (target, diary) = (Target::new(ANSWERS), Diary::default());
        let panics = Arc::new(AtomicUsize::new(0));
        let counted = panics.clone();
        let (health, monitor) = Health::builder("panics")
            .policy(EXACT.fall(1).rise(1))
            .observe(move |event: &Event<'_>| {
                counted.fetch_add(1, Ordering::Relaxed);
                panic!("an observer panics at {event}")
            })
            .observe(diary.clone())
            .probe(target.clone())
            .monitor();
        let task = tokio::spawn(monitor);
        for round in 1..=20 {
            target.now(Act::Fails);
            diary.hears(Unhealthy, Instant::now()).await;
            target.now(ANSWERS);
            diary.hears(Healthy, Instant::now()).await;
            assert!(!task.is_finished(), "ended in round {round}");
        }
        assert_eq!(panics.load(Ordering::Relaxed), diary.grades().len());
        assert!(diary.grades().len() >= 40 && health.is_monitored());
        assert!(target.probes() >= 40);
    });
}

#[test]
fn health_promise_4_an_observer_sees_the_new_grade() {
    watched(|| async {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let told = seen.clone();
        let (health, _) = observed(move |health, event| {
            if let Event::Health(change) = event {
                let refused = health.refusal().is_some();
                let last = health.history().last().unwrap().to();
                let grades = (change.to(), health.grade(), health.snapshot().grade, last);
                told.lock().unwrap().push((grades, refused));
            }
        });
        health.succeeded(SECOND);
        health.failed("refused");
        health.up();
        let all = |grade, refused| ((grade, grade, grade, grade), refused);
        let expected = [all(Healthy, false), all(Unhealthy, true), all(Healthy, false)];
        assert_eq!(*seen.lock().unwrap(), expected);
    });
}

#[test]
fn health_promise_4_an_observer_may_ask_and_change_everything() {
    watched(|| async {
        let (health, diary) = observed(|health, event| {
            let _ = (health.snapshot(), health.history(), health.refusal(), health.policy());
            let _ = format!("{health:?} {:?}", health.signals());
            health.set_policy(EXACT.fall(1).rise(1)).unwrap();
            health.forget_baseline();
            if let Event::Health(change) = event
                && change.to() == Unhealthy
            {
                health.up();
            }
            drop(health.clone());
        });
        for _ in 0..10 {
            health.down("unplugged");
        }
        assert_eq!(health.grade(), Healthy);
        let grades = diary.grades();
        assert_eq!(grades.len(), 20, "{grades:?}");
        assert!(grades.chunks(2).all(|pair| pair == [Unhealthy, Healthy]), "in order: {grades:?}");
    });
}

#[test]
fn health_promise_4_on_many_threads_observers_hear_a_legal_chain() {
    let diary = Diary::default();
    let health = Health::builder("shared")
        .policy(EXACT.fall(1).rise(1))
        // Gives other threads a chance to overtake.
        .observe(|_: &Event<'_>| (0..fastrand::u32(..5)).for_each(|_| thread::yield_now()))
        .observe(diary.clone())
        .build();
    thread::scope(|scope| {
        for n in 0..4 {
            let health = &health;
            scope.spawn(move || {
                for m in 0..5_000 {
                    if (m + n) % 3 == 0 { health.failed("no") } else { health.up() }
                }
            });
        }
    });
    let changes = diary.changes();
    assert!(changes.len() > 1_000, "only {} changes", changes.len());
    assert_eq!(changes[0].from(), Unknown);
    for pair in changes.windows(2) {
        assert_eq!(pair[0].to(), pair[1].from(), "{} then {}", pair[0], pair[1]);
    }
    assert_eq!(changes.last().unwrap().to(), health.grade());
    assert_eq!(health.history(), changes[changes.len() - 64..]);
}

#[test]
fn an_observer_may_drop_the_last_handle() {
    watched(|| async {
        let (target, last) = (Target::new(Act::Fails), Arc::new(Mutex::new(None::<Health>)));
        let held = last.clone();
        let (health, monitor) = Health::builder("last")
            .observe(move |_: &Event<'_>| drop(held.lock().unwrap().take()))
            .probe(target.clone())
            .monitor();
        *last.lock().unwrap() = Some(health);
        let task = tokio::spawn(monitor);
        sleep(SECOND).await;
        assert!(task.is_finished() && last.lock().unwrap().is_none());
        task.await.unwrap();
        assert_eq!(target.probes(), 1);
    });
}

#[tokio::test(start_paused = true)]
async fn an_observer_is_dropped_with_its_target() {
    let alive = Arc::new(());
    let held = alive.clone();
    let observer = move |_: &Event<'_>| assert!(Arc::strong_count(&held) > 1);
    let (health, monitor) =
        Health::builder("short").observe(observer).probe(Target::new(ANSWERS)).monitor();
    assert_eq!(Arc::strong_count(&alive), 2);
    drop(health);
    assert_eq!(Arc::strong_count(&alive), 1);
    monitor.await;
}

#[tokio::test(start_paused = true)]
async fn a_change_is_told_with_its_reason_and_time_in_a_line_for_people() {
    let (health, diary) = observed(|_, _| {});
    let before = SystemTime::now();
    health.succeeded(SECOND);
    health.failed("connection refused");
    health.up();
    health.down("unplugged");
    health.succeeded(SECOND);
    let lines: Vec<_> = diary.changes().iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "told: unknown → healthy (the first check was good)",
            "told: healthy → unhealthy (connection refused)",
            "told: unhealthy → healthy (said to be back)",
            "told: healthy → unhealthy (unplugged)",
            "told: unhealthy → healthy (enough good checks in a row)",
        ]
    );
    for change in diary.changes() {
        assert!((before..=SystemTime::now()).contains(&change.at()), "wall-clock time");
    }
    assert_eq!(health.history(), diary.changes());
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_health_is_woken_by_it_and_not_before() {
    let (health, _) = observed(|_, _| {});
    health.down("unplugged");
    let mut waits = tokio_test::task::spawn(health.wait_until_healthy());
    assert!(waits.poll().is_pending());
    for _ in 0..10 {
        health.failed("still down");
    }
    assert!(!waits.is_woken());
    health.succeeded(SECOND);
    assert!(waits.is_woken() && waits.poll().is_ready());
}
