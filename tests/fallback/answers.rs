use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use tower::{Layer, ServiceExt, service_fn};
use tower_failover::{
    BoxError, FallbackLayer,
    fallback::{Source, Value, from_async_fn, from_async_request_fn, from_fn, from_request_fn},
};
use tower_test::{assert_request_eq, mock};

use crate::support::{Answer, Backend, Diary, Scripted};

#[tokio::test]
async fn a_value_answers_when_the_inner_service_fails() {
    let layer = FallbackLayer::new(Value::with(|| "value"));
    let (mut service, mut backend): (_, Backend) = mock::spawn_layer(layer);
    backend.allow(0);
    assert!(service.poll_ready::<&str>().is_pending(), "not asked to hurry");
    backend.allow(1);
    assert!(service.poll_ready::<&str>().is_ready());
    let call = service.call("request");
    assert_request_eq!(backend, "request").send_error("down");
    assert_eq!(call.await.unwrap(), "value");
}

#[tokio::test]
async fn an_answer_of_the_inner_service_passes_unchanged() {
    let layer = FallbackLayer::new(Value::with(|| "value"));
    let (mut service, mut backend): (_, Backend) = mock::spawn_layer(layer);
    backend.allow(1);
    assert!(service.poll_ready::<&str>().is_ready());
    let call = service.call("request");
    assert_request_eq!(backend, "request").send_response("response");
    assert_eq!(call.await.unwrap(), "response");
}

#[derive(Debug)]
struct Counted(Arc<AtomicU32>);

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.0.fetch_add(1, Ordering::Relaxed);
        Self(self.0.clone())
    }
}

#[tokio::test]
async fn a_value_is_cloned_only_when_it_answers() {
    let clones = Arc::new(AtomicU32::new(0));
    let primary = service_fn(async |fail: bool| match fail {
        true => Err("down"),
        false => Ok(Counted(Arc::default())),
    });
    let service = FallbackLayer::new(Value::of(Counted(clones.clone()))).layer(primary);
    for _ in 0..10 {
        service.clone().oneshot(false).await.unwrap();
    }
    assert_eq!(clones.load(Ordering::Relaxed), 0);
    service.oneshot(true).await.unwrap();
    assert_eq!(clones.load(Ordering::Relaxed), 1);
}

fn down(_: &'static str) -> Ready<Answer> {
    ready(Err("down".into()))
}

#[tokio::test]
async fn a_function_sees_the_failed_result() {
    let strategy = from_fn(|failed: &Answer| match failed {
        Err(error) if error.to_string() == "down" => Ok("seen"),
        Err(_) | Ok(_) => Err("unknown".into()),
    });
    let served = FallbackLayer::new(strategy).served().layer(service_fn(down));
    let served = served.oneshot("request").await.unwrap();
    assert_eq!((*served.value(), served.source()), ("seen", Source::Function));
}

#[tokio::test]
async fn a_function_sees_the_request_if_it_wants_to() {
    let strategy = from_request_fn(|request: &&'static str, failed: &Answer| {
        assert!(failed.is_err());
        Ok(*request)
    });
    let service = FallbackLayer::new(strategy).layer(service_fn(down));
    assert_eq!(service.oneshot("request").await.unwrap(), "request");
}

#[tokio::test]
async fn an_async_function_sees_the_failed_result() {
    let strategy = from_async_fn(|failed: &Answer| {
        let down = failed.is_err();
        async move {
            tokio::task::yield_now().await;
            if down { Ok("seen") } else { Err("unknown".into()) }
        }
    });
    let service = FallbackLayer::new(strategy).layer(service_fn(down));
    assert_eq!(service.oneshot("request").await.unwrap(), "seen");
}

#[tokio::test]
async fn an_async_function_owns_the_request_if_it_wants_to() {
    let strategy = from_async_request_fn(|request: &'static str, _: &Answer| async move {
        tokio::task::yield_now().await;
        Ok(request)
    });
    let service = FallbackLayer::new(strategy).layer(service_fn(down));
    assert_eq!(service.oneshot("request").await.unwrap(), "request");
}

#[tokio::test]
async fn a_function_that_fails_gives_the_original_error_back() {
    let diary = Diary::default();
    let strategy = from_fn(|_: &Answer| Err("no idea".into()));
    let service = FallbackLayer::new(strategy).observe(diary.observer()).layer(service_fn(down));
    assert_eq!(service.oneshot("request").await.unwrap_err().to_string(), "down");
    assert_eq!(diary.read(), ["fallback fallback failed: function: no idea"]);
}

#[tokio::test]
async fn where_an_answer_came_from_is_not_hidden() {
    let ok = service_fn(async |_: &'static str| Ok::<_, BoxError>("fine"));
    let served = FallbackLayer::new(Value::with(|| "value")).served().layer(ok);
    let served = served.oneshot("request").await.unwrap();
    assert_eq!((served.source(), served.strategy()), (Source::Primary, "primary"));
    assert!(!served.is_fallback());

    let value = FallbackLayer::new(Value::of("value")).served().layer(service_fn(down));
    let served = value.oneshot("request").await.unwrap();
    assert_eq!((served.source(), served.strategy()), (Source::Value, "value"));
    assert!(served.is_fallback());

    let named = Value::of("value").named("last resort");
    let served = FallbackLayer::new(named).served().layer(service_fn(down));
    let served = served.oneshot("request").await.unwrap();
    assert_eq!((served.source(), served.strategy()), (Source::Value, "last resort"));

    let custom = Scripted::answering("mine", &Diary::default());
    let served = FallbackLayer::new(custom).served().layer(service_fn(down));
    let served = served.oneshot("request").await.unwrap();
    assert_eq!((served.source(), served.strategy()), (Source::Custom("mine"), "mine"));
    assert_eq!(served.map(str::len).into_inner(), 4);
}

#[tokio::test]
async fn an_answer_is_told_by_the_names_of_the_fallback_and_the_strategy() {
    let diary = Diary::default();
    let layer = FallbackLayer::new(Value::of("value").named("greeting"));
    let service = layer
        .observe(diary.observer())
        .named("front")
        .observe(diary.observer())
        .layer(service_fn(down));
    assert_eq!(service.oneshot("request").await.unwrap(), "value");
    assert_eq!(diary.read(), ["fallback front answered by greeting"; 2]);
}

#[tokio::test]
async fn nobody_is_told_of_a_call_that_needed_no_fallback() {
    let diary = Diary::default();
    let ok = service_fn(async |_: ()| Ok::<_, Infallible>(""));
    let layer = FallbackLayer::new(Value::of("value")).observe(diary.observer());
    assert_eq!(layer.layer(ok).oneshot(()).await.unwrap(), "");
    assert!(diary.read().is_empty());
}
