use std::task::Poll;

use tower::{Layer, ServiceExt, service_fn};
use tower_failover::{
    BoxError, FallbackLayer,
    fallback::{Backup, Source},
};
use tower_test::{assert_request_eq, mock};

use crate::support::{Answer, Backend, Diary, Inner};

async fn down(_: &'static str) -> Answer {
    Err("down".into())
}

#[tokio::test]
async fn a_backup_gets_the_same_request_once_it_is_ready() {
    let (backup, mut replica): (Inner, Backend) = mock::pair();
    replica.allow(0);
    let service = FallbackLayer::new(Backup::new(backup)).served().layer(service_fn(down));
    let mut call = tokio_test::task::spawn(service.oneshot("request"));
    assert!(call.poll().is_pending());
    assert!(replica.poll_request().is_pending(), "called before it was ready");
    replica.allow(1);
    assert!(call.poll().is_pending());
    assert_request_eq!(replica, "request").send_response("replica");
    let served = call.await.unwrap();
    assert_eq!((*served.value(), served.source()), ("replica", Source::Backup));
}

#[tokio::test]
async fn a_backup_is_left_alone_while_the_primary_answers() {
    let (backup, mut replica): (Inner, Backend) = mock::pair();
    let primary = service_fn(async |_| Ok::<_, BoxError>("primary"));
    let service = FallbackLayer::new(Backup::new(backup)).layer(primary);
    assert_eq!(service.oneshot("request").await.unwrap(), "primary");
    assert!(matches!(replica.poll_request(), Poll::Pending | Poll::Ready(None)));
}

#[tokio::test]
async fn errors_of_a_backup_are_reasons_and_not_the_answer() {
    let diary = Diary::default();
    let (unready, mut replica): (Inner, Backend) = mock::pair();
    replica.send_error("never ready");
    let fails = service_fn(async |_: &'static str| Err::<&'static str, _>("down too"));
    let strategy = Backup::new(unready).or(Backup::new(fails).named("second"));
    let layer = FallbackLayer::new(strategy).named("users").observe(diary.observer());
    let error = layer.layer(service_fn(down)).oneshot("request").await.unwrap_err();
    assert_eq!(error.to_string(), "down");
    assert_eq!(diary.read(), ["fallback users failed: backup: never ready; second: down too"]);
}
