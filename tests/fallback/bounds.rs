//! What is asked of the types of others, mostly at compile time.

use std::{cell::Cell, convert::Infallible, rc::Rc, time::Duration};

use tower::{Layer, ServiceExt, service_fn};
use tower_failover::{
    BoxError, ErrorsAreFailures, FallbackLayer, Outcome,
    fallback::{
        Backup, BudgetLayer, Elapsed, Failed, Fallback, Marked, Plain, Served, Source, Value,
        WhenOpen, With, from_async_fn, from_fn,
    },
};

/// Neither `Clone`, `Send`, `Sync` nor an error; what stands for the error is `Send` only.
struct Page(Rc<Cell<u8>>);
struct Trouble(Cell<u8>);
struct Ask(Rc<Cell<u8>>);

async fn fail(ask: Ask) -> Result<Page, Trouble> {
    Err(Trouble(Cell::new(ask.0.get())))
}

fn ask() -> Ask {
    Ask(Rc::new(Cell::new(7)))
}

#[tokio::test]
async fn no_clone_is_asked_and_send_of_errors_only() {
    let value = Value::with(|| Page(Rc::default()));
    let page = FallbackLayer::new(value).layer(service_fn(fail)).oneshot(ask()).await;
    assert_eq!(page.map(|page| page.0.get()).ok(), Some(0));

    let function = from_fn(|failed: &Result<Page, Trouble>| match failed {
        Ok(_) => Err("unexpected".into()),
        Err(trouble) => Ok(Page(Rc::new(trouble.0.clone()))),
    });
    let page = FallbackLayer::new(function).layer(service_fn(fail)).oneshot(ask()).await;
    assert_eq!(page.map(|page| page.0.get()).ok(), Some(7));

    let function = from_async_fn(|failed: &Result<Page, Trouble>| {
        let seen = failed.as_ref().err().map(|trouble| trouble.0.clone());
        async move { seen.map(|cell| Page(Rc::new(cell))).ok_or_else(|| BoxError::from("unexpected")) }
    });
    let page = FallbackLayer::new(function).layer(service_fn(fail)).oneshot(ask()).await;
    assert_eq!(page.map(|page| page.0.get()).ok(), Some(7));
}

#[tokio::test]
async fn an_error_keeps_its_type_and_comes_back_as_it_was() {
    let function = from_fn(|_: &Result<Page, Trouble>| Err("no idea".into()));
    let layer = FallbackLayer::new(function);
    let trouble = layer.layer(service_fn(fail)).oneshot(ask()).await.err().unwrap();
    assert_eq!(trouble.0.get(), 7);
}

#[tokio::test]
async fn only_a_backup_asks_for_clone_of_the_request() {
    let backup =
        Backup::new(service_fn(async |n: u8| Ok::<_, String>(Page(Rc::new(Cell::new(n))))));
    let primary = service_fn(async |n: u8| Err::<Page, _>(Trouble(Cell::new(n))));
    let page = FallbackLayer::new(backup).layer(primary).oneshot(3).await;
    assert_eq!(page.map(|page| page.0.get()).ok(), Some(3));
}

#[tokio::test]
async fn one_fallback_serves_requests_of_several_types() {
    #[derive(Clone)]
    struct Both;
    impl tower::Service<u8> for Both {
        type Response = u8;
        type Error = BoxError;
        type Future = std::future::Ready<Result<u8, BoxError>>;
        fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Ready {
            Ready::Ready(Ok(()))
        }
        fn call(&mut self, n: u8) -> Self::Future {
            std::future::ready(Ok(n))
        }
    }
    impl tower::Service<String> for Both {
        type Response = u8;
        type Error = BoxError;
        type Future = std::future::Ready<Result<u8, BoxError>>;
        fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Ready {
            Ready::Ready(Ok(()))
        }
        fn call(&mut self, _: String) -> Self::Future {
            std::future::ready(Err("down".into()))
        }
    }
    type Ready = std::task::Poll<Result<(), BoxError>>;
    let service = FallbackLayer::new(Value::of(9)).layer(Both);
    assert_eq!(service.clone().oneshot(1_u8).await.unwrap(), 1);
    assert_eq!(service.oneshot(String::new()).await.unwrap(), 9);
}

fn sound<T: Send + Sync + Unpin + std::fmt::Debug>() {}
fn sound_value<T: Send + Sync + Unpin + std::fmt::Debug>(_: &T) {}

type Nine = Value<With<fn() -> u8>>;

const LAYER: FallbackLayer<Nine> = FallbackLayer::new(Value::with(|| 9));

#[tokio::test]
async fn a_layer_can_be_a_constant() {
    let down = service_fn(async |_: u8| Err::<u8, BoxError>("down".into()));
    assert_eq!(LAYER.layer(down).oneshot(1).await.unwrap(), 9);
}

#[test]
fn everything_is_send_sync_unpin_and_debug_where_its_parts_are() {
    sound::<(Elapsed, Failed, Served<u8>, Source, WhenOpen, Marked, Plain, BudgetLayer)>();
    sound::<Fallback<u8, u8, ErrorsAreFailures, Marked>>();
    sound::<FallbackLayer<Value<u8>>>();

    type Layered = FallbackLayer<Value<std::sync::Arc<u8>>>;
    let layer: Layered = FallbackLayer::new(Value::of(1));
    let primary = service_fn(|_: u8| std::future::ready(Ok::<u8, BoxError>(1)));
    let mut service = layer.clone().layer(primary);
    sound_value(&layer);
    sound_value(&tower::Service::call(&mut service, 1));
    let mut service = layer.inner_within(Duration::from_secs(1)).layer(primary);
    fn send_and_debug<T: Send + Sync + std::fmt::Debug>(_: &T) {}
    send_and_debug(&tower::Service::call(&mut service, 1));
}

#[tokio::test]
async fn a_fallback_stands_under_axums_router_layer() {
    use axum::{Router, body::Body, http::Request, http::StatusCode, response::Response, routing};

    let later = Value::with(|| Response::new(Body::from("later")));
    let layer =
        FallbackLayer::new(later).classify(|result: &Result<Response, Infallible>| match result {
            Ok(response) if response.status().is_server_error() => Outcome::Failure,
            Ok(_) | Err(_) => Outcome::Success,
        });
    let broken = routing::get(async || StatusCode::SERVICE_UNAVAILABLE);
    let app = Router::new().route("/", broken).layer(layer);
    for path in ["/", "/missing"] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let status = app.clone().oneshot(request).await.unwrap().status();
        assert_eq!(status, if path == "/" { StatusCode::OK } else { StatusCode::NOT_FOUND });
    }
}

#[tokio::test]
async fn a_fallback_can_be_boxed() {
    let down = service_fn(async |_: u8| Err::<u8, BoxError>("down".into()));
    let boxed = tower::ServiceBuilder::new()
        .boxed_clone()
        .layer(FallbackLayer::new(Value::with(|| 9)).inner_within(Duration::from_secs(1)))
        .service(down);
    assert_eq!(boxed.oneshot(1).await.unwrap(), 9);
}
