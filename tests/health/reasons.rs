//! Why a target is unhealthy, in words.

use std::sync::{Arc, Mutex};

use tower_failover::{
    BoxError,
    event::Event,
    health::{Health, Quorum},
};

use crate::support::{Act, EXACT, Target, Ward};

#[test]
fn the_reason_is_the_last_error() {
    let health = Health::new("told");
    health.failed("timed out");
    for _ in 0..100 {
        health.failed("wrong password");
    }
    assert_eq!(health.refusal().unwrap().reason(), "wrong password");
    assert_eq!(health.history()[0].reason(), "timed out");
    assert_eq!(health.history().len(), 1, "the grade is the same");
}

#[tokio::test(start_paused = true)]
async fn the_reason_is_what_made_the_check_bad() {
    let (health, monitor) = Health::builder("two zones")
        .policy(EXACT.quorum(Quorum::Any))
        .probe(async || Err::<(), _>(BoxError::from("not this zone")))
        .probe(Target::new(Act::Hangs))
        .monitor();
    drop(tokio::spawn(monitor));
    health.check_now().await;
    assert_eq!(health.refusal().unwrap().reason(), "no answer within 500ms");
}

#[derive(Debug)]
struct Caused(std::io::Error);

impl std::fmt::Display for Caused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("client error (Connect)")
    }
}

impl std::error::Error for Caused {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[tokio::test(start_paused = true)]
async fn the_reason_names_the_cause() {
    let (health, monitor) = Health::builder("origin")
        .probe(async || Err::<(), _>(Caused(std::io::Error::other("connection refused"))))
        .monitor();
    drop(tokio::spawn(monitor));
    health.check_now().await;
    let expected = "client error (Connect): connection refused";
    assert_eq!(health.refusal().unwrap().reason(), expected);

    let ward = Ward::new(Act::Answers(std::time::Duration::ZERO), EXACT);
    let error = Caused(std::io::Error::other("broken pipe"));
    let event =
        Event::Disconnected { server: "s", error: &error, retry_after: crate::support::SECOND };
    tower_failover::event::Observer::on_event(&ward.health.signals(), &event);
    assert_eq!(ward.health.refusal().unwrap().reason(), "client error (Connect): broken pipe");
}

#[tokio::test(start_paused = true)]
async fn no_password_in_an_address_is_shown() {
    const WORDS: &str = "cannot send to (https://app:hunter2@10.0.0.1/healthz)";
    let lines = Arc::new(Mutex::new(Vec::new()));
    let told = lines.clone();
    let observer = move |event: &Event<'_>| told.lock().unwrap().push(event.to_string());
    let (probed, monitor) = Health::builder("probed")
        .observe(observer.clone())
        .probe(async || Err::<(), _>(BoxError::from(WORDS)))
        .monitor();
    drop(tokio::spawn(monitor));
    probed.check_now().await;
    let (failed, down) = (
        Health::builder("failed").observe(observer.clone()).build(),
        Health::builder("down").observe(observer).build(),
    );
    failed.failed(WORDS);
    down.down(WORDS);
    for health in [probed, failed, down] {
        let unhealthy = health.refusal().unwrap();
        let snapshot = health.snapshot();
        let shown = format!("{unhealthy} {unhealthy:?} {snapshot:?} {:?}", health.history());
        assert!(shown.contains("10.0.0.1/healthz"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let lines = lines.lock().unwrap().join("\n");
    assert_eq!(lines.matches("10.0.0.1").count(), 3, "{lines}");
    assert!(!lines.contains("hunter2"), "{lines}");
}
