//! Under `axum::Router::layer`, which applies its layers for every request.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    http::{Request, Response, StatusCode, header::RETRY_AFTER},
    response::IntoResponse,
    routing::get,
};
use tokio::time::{Instant, sleep};
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_failover::{
    BoxError, FallbackLayer,
    fallback::Value,
    health::{Health, HealthGateLayer},
    http::AnswerRefusalsLayer,
};

use crate::{SECOND, backend::Count, fall, healthy, rise};

fn router<L>(layer: L, ran: &Count) -> Router
where
    L: Layer<axum::routing::Route> + Clone + Send + Sync + 'static,
    L::Service: Service<Request<Body>, Error = BoxError> + Clone + Send + Sync + 'static,
    <L::Service as Service<Request<Body>>>::Response: IntoResponse + Send + 'static,
    <L::Service as Service<Request<Body>>>::Future: Send + 'static,
    L::Service: Service<Request<Body>, Response = Response<Body>>,
{
    let ran = ran.clone();
    let handler = async move || {
        ran.add();
        StatusCode::ACCEPTED
    };
    let answers = AnswerRefusalsLayer::new().infallible();
    let stack = ServiceBuilder::new().layer(answers).layer(layer);
    Router::new().route("/", get(handler)).layer(stack)
}

async fn ask(router: &Router) -> Response<Body> {
    router.clone().oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_an_unhealthy_target_is_refused_under_router_layer() {
    let (health, ran) = (healthy(), Count::default());
    let router = router(HealthGateLayer::new(health.clone()), &ran);
    assert_eq!(ask(&router).await.status(), StatusCode::ACCEPTED);
    fall(&health);
    for _ in 0..100 {
        let refused = ask(&router).await;
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(!refused.headers().contains_key(RETRY_AFTER), "nobody looks for its return");
    }
    assert_eq!(ran.get(), 1);
    rise(&health);
    assert_eq!(ask(&router).await.status(), StatusCode::ACCEPTED);
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_all_calls_under_router_layer_share_the_places_of_one_layer() {
    let (health, ran) = (healthy(), Count::default());
    let router = router(HealthGateLayer::new(health.clone()).hold_for(SECOND, 3), &ran);
    fall(&health);
    let begun = Instant::now();
    let asked = (0..10).map(|_| ask(&router));
    let back = async {
        sleep(SECOND / 2).await;
        rise(&health);
    };
    let (answers, ()) = tokio::join!(futures::future::join_all(asked), back);
    let count = |status| answers.iter().filter(|answer| answer.status() == status).count();
    assert_eq!(count(StatusCode::ACCEPTED), 3);
    assert_eq!(count(StatusCode::SERVICE_UNAVAILABLE), 7);
    assert_eq!((begun.elapsed(), ran.get()), (Duration::from_millis(500), 3));
}

fn teapot() -> Response<Body> {
    StatusCode::IM_A_TEAPOT.into_response()
}

#[tokio::test(start_paused = true)]
async fn a_fallback_by_health_works_under_router_layer() {
    let (health, ran) = (healthy(), Count::default());
    let layer = |health: Health| FallbackLayer::new(Value::with(teapot)).by_health(health);
    let router = router(layer(health.clone()), &ran);
    assert_eq!(ask(&router).await.status(), StatusCode::ACCEPTED);
    fall(&health);
    assert_eq!(ask(&router).await.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!(ran.get(), 1);
}
