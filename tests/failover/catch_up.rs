//! Promise 5: a tier that missed writes is brought up to date before it is used again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Semaphore, time::sleep};
use tower_failover::{
    Backoff, BoxError,
    failover::{BackendState, Failover, Policy, Recovery, Repeat},
    health::{self, Health},
};

use crate::support::{Fault, Site, SiteService, call, keep};

const SECOND: Duration = Duration::from_secs(1);

struct Scene {
    eu: Site,
    failover: Failover<SiteService>,
    begun: Arc<AtomicUsize>,
    /// A permit lets one catch-up end.
    gate: Arc<Semaphore>,
    fails: Arc<AtomicBool>,
    panics: Arc<AtomicBool>,
}

fn scene() -> Scene {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let (health, monitor) = eu.health(health::Policy::new());
    tokio::spawn(monitor);
    let (begun, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let (fails, panics) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let hook = {
        let (begun, gate) = (begun.clone(), gate.clone());
        let (fails, panics) = (fails.clone(), panics.clone());
        move || {
            begun.fetch_add(1, Ordering::Relaxed);
            let (gate, fails, panics) = (gate.clone(), fails.clone(), panics.clone());
            async move {
                gate.acquire().await.unwrap().forget();
                assert!(!panics.load(Ordering::Relaxed), "as told");
                match fails.load(Ordering::Relaxed) {
                    true => Err(BoxError::from("as told")),
                    false => Ok(()),
                }
            }
        }
    };
    let recovery = Recovery::new().delay(Backoff::fixed(2 * SECOND));
    let failover = keep(
        Failover::builder("sessions")
            .backend(eu.backend().health(health).catch_up(hook))
            .backend(us.backend().tier(1))
            .repeat(Repeat::Always)
            .policy(Policy::new().recovery(recovery))
            .build(),
    );
    Scene { eu, failover, begun, gate, fails, panics }
}

impl Scene {
    fn begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed)
    }

    async fn outage(&mut self) {
        self.eu.set(Fault::Refused);
        assert_eq!(call(&mut self.failover).await.unwrap(), "us");
        self.eu.set(Fault::Nothing);
    }

    async fn until_catch_up(&self, number: usize) {
        for _ in 0..1_000 {
            if self.begun() == number {
                return;
            }
            sleep(SECOND / 10).await;
        }
        panic!("never");
    }
}

#[tokio::test(start_paused = true)]
async fn failover_promise_5_it_is_brought_up_to_date_before_it_serves_again() {
    let mut scene = scene();
    sleep(2 * SECOND).await;
    assert_eq!(call(&mut scene.failover).await.unwrap(), "eu", "at the start it is not behind");
    assert_eq!(scene.begun(), 0);
    for round in 1..=3 {
        scene.outage().await;
        scene.until_catch_up(round).await;
        let before = scene.eu.calls();
        for _ in 0..100 {
            assert_eq!(call(&mut scene.failover).await.unwrap(), "us", "it is still behind");
            sleep(SECOND / 10).await;
        }
        assert_eq!(scene.failover.status().backends[0].state, BackendState::CatchingUp);
        assert_eq!((scene.begun(), scene.eu.calls()), (round, before), "one at a time");
        scene.gate.add_permits(1);
        sleep(SECOND / 10).await;
        assert_eq!(call(&mut scene.failover).await.unwrap(), "eu");
    }
}

#[tokio::test(start_paused = true)]
async fn failover_promise_5_who_could_not_be_brought_up_to_date_does_not_serve() {
    for panics in [false, true] {
        let mut scene = scene();
        sleep(2 * SECOND).await;
        scene.outage().await;
        if panics { &scene.panics } else { &scene.fails }.store(true, Ordering::Relaxed);
        for round in 1..=3 {
            scene.until_catch_up(round).await;
            scene.gate.add_permits(1);
            sleep(SECOND / 10).await;
            assert_eq!(call(&mut scene.failover).await.unwrap(), "us");
            let state = scene.failover.status().backends[0].state;
            assert!(matches!(state, BackendState::Out { .. }), "{state:?}");
        }
        let expected = if panics { "it panicked" } else { "as told" };
        let why = scene.failover.status().backends[0].last_error.clone().unwrap();
        assert_eq!(why.as_str(), expected);
        scene.fails.store(false, Ordering::Relaxed);
        scene.panics.store(false, Ordering::Relaxed);
        scene.until_catch_up(4).await;
        scene.gate.add_permits(1);
        sleep(SECOND / 10).await;
        assert_eq!(call(&mut scene.failover).await.unwrap(), "eu");
    }
}

#[tokio::test(start_paused = true)]
async fn failover_promise_5_by_hand_it_is_brought_up_to_date_too() {
    let mut scene = scene();
    sleep(2 * SECOND).await;
    scene.outage().await;
    scene.failover.control().fail_over("eu", "now", None).unwrap();
    scene.until_catch_up(1).await;
    assert_eq!(call(&mut scene.failover).await.unwrap(), "us");
    scene.gate.add_permits(1);
    sleep(SECOND / 10).await;
    assert_eq!(call(&mut scene.failover).await.unwrap(), "eu");
    let history = scene.failover.control().history();
    assert_eq!(history.last().unwrap().reason(), "now");
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_is_removed_is_not_brought_up_to_date_any_more() {
    let mut scene = scene();
    sleep(2 * SECOND).await;
    scene.outage().await;
    scene.until_catch_up(1).await;
    assert!(scene.failover.remove("eu"));
    sleep(SECOND / 10).await;
    assert_eq!(call(&mut scene.failover).await.unwrap(), "us");
    assert_eq!(Arc::strong_count(&scene.begun), 1, "the hook is gone with it");
    assert_eq!(Arc::strong_count(&scene.gate), 1, "and what it was at");
    assert_eq!(scene.eu.instances(), 0);
}

#[tokio::test(start_paused = true)]
async fn failover_promise_5_a_catch_up_that_fails_at_once_is_tried_once_in_an_interval() {
    for monitored in [false, true] {
        let (eu, begun) = (Site::new("eu"), Arc::new(AtomicUsize::new(0)));
        let health = if monitored {
            let (health, monitor) = eu.health(health::Policy::new());
            tokio::spawn(monitor);
            health
        } else {
            Health::new("eu")
        };
        let counted = begun.clone();
        let backend = eu.backend().health(health.clone()).catch_up(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            async { Err("the source is not there".into()) }
        });
        let failover = Failover::builder("sessions").backend(backend).repeat(Repeat::Always);
        let mut failover = keep(failover.build());
        sleep(2 * SECOND).await;
        call(&mut failover).await.unwrap();
        health.down("gone");
        sleep(SECOND / 10).await;
        assert_eq!(failover.status().active, None);
        health.up();
        let ended = sleep(20 * SECOND);
        tokio::pin!(ended);
        // A loop that does not let go is seen by its count, not by the time, which stands still.
        loop {
            let runs = begun.load(Ordering::Relaxed);
            assert!(runs <= 25, "{runs} runs in 20 s");
            tokio::select! {
                () = &mut ended => break,
                () = sleep(SECOND / 10) => drop(call(&mut failover).await),
            }
        }
        let runs = begun.load(Ordering::Relaxed);
        assert!(runs >= 5, "{runs} runs in 20 s, with a good check or trial each second");
    }
}
