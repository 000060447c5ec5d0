//! What every layer of this crate keeps to. A new layer joins at the end of this file.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests spawn openly and fail by panicking"
)]

use std::{
    cell::Cell,
    convert::Infallible,
    fmt::Debug,
    future::{Ready, ready},
    marker::PhantomPinned,
    panic::AssertUnwindSafe,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    error_handling::HandleErrorLayer,
    http::{Request, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use futures::FutureExt;
use tokio::time::timeout;
use tower::{
    Layer, Service, ServiceBuilder, ServiceExt,
    util::{BoxCloneService, BoxCloneServiceLayer, BoxCloneSyncService, BoxLayer, BoxService},
};
use tower_failover::{
    BoxError, FallbackLayer, Outcome,
    circuit_breaker::{Circuit, CircuitBreakerLayer, Circuits},
    fallback::{BudgetLayer, Value},
    gate::GateLayer,
    health::{Health, HealthGateLayer, Policy, WhileUnknown},
};

/// Longer than any budget of a layer; paused time makes it short.
const FOREVER: Duration = Duration::from_secs(86_400);

/// Ready where it was made; its clones never are. Called unready, it fails.
#[derive(Debug)]
struct Picky {
    original: bool,
    ready: bool,
}

impl Picky {
    const fn new() -> Self {
        Self { original: true, ready: false }
    }
}

impl Clone for Picky {
    fn clone(&self) -> Self {
        Self { original: false, ready: false }
    }
}

impl Service<()> for Picky {
    type Response = &'static str;
    type Error = BoxError;
    type Future = Ready<Result<&'static str, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.ready = self.original;
        if self.ready { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn call(&mut self, (): ()) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called an instance that was not polled ready");
        ready(Ok("answer"))
    }
}

async fn answers<S>(service: &mut S) -> bool
where
    S: Service<(), Response = &'static str>,
    S::Error: Debug,
{
    let call = AssertUnwindSafe(async { service.ready().await.unwrap().call(()).await.unwrap() });
    matches!(timeout(FOREVER, call.catch_unwind()).await, Ok(Ok("answer")))
}

/// Whether the inner service is called on the very instance that was polled ready, each time.
async fn keeps_readiness<L>(layer: L) -> bool
where
    L: Layer<Picky>,
    L::Service: Service<(), Response = &'static str> + Clone,
    <L::Service as Service<()>>::Error: Debug,
{
    let mut service = layer.layer(Picky::new());
    for _ in 0..3 {
        if !answers(&mut service).await {
            return false;
        }
        // That the original is ready says nothing of a clone, and the other way round.
        service.ready().await.unwrap();
        let clone = service.clone();
        let kept = AssertUnwindSafe(service.call(())).catch_unwind().await;
        if !matches!(kept, Ok(Ok("answer"))) {
            return false;
        }
        drop(clone);
    }
    true
}

/// A service whose futures hold a token, so that one can tell when they are gone.
#[derive(Clone)]
struct Tokens(Arc<()>);

impl Service<()> for Tokens {
    type Response = &'static str;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<&'static str, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        let token = self.0.clone();
        Box::pin(async move {
            std::future::pending::<()>().await;
            drop(token);
            Ok("never")
        })
    }
}

/// Whether nothing stays behind of futures that are dropped before or after their first poll.
async fn drops_cleanly<L>(layer: L) -> bool
where
    L: Layer<Tokens>,
    L::Service: Service<(), Response = &'static str>,
    <L::Service as Service<()>>::Error: Debug,
{
    let token = Arc::new(());
    let mut service = layer.layer(Tokens(token.clone()));
    let before = Arc::strong_count(&token);
    for polls in 0..10 {
        let mut future = Box::pin(service.ready().await.unwrap().call(()));
        assert!(Arc::strong_count(&token) > before, "the inner service was not called");
        for _ in 0..polls {
            assert!(futures::poll!(&mut future).is_pending());
        }
        drop(future);
        if Arc::strong_count(&token) != before {
            return false;
        }
    }
    true
}

/// Panics as often as it is told to, at the place it is told to.
#[derive(Clone)]
struct Panics {
    place: Place,
    left: Arc<std::sync::atomic::AtomicUsize>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    PollReady,
    Call,
    Poll,
}

impl Panics {
    fn at(&self, place: Place) {
        use std::sync::atomic::Ordering::SeqCst;
        let panics = self.place == place
            && self.left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
        assert!(!panics, "the inner service panics in {place:?}");
    }
}

impl Service<()> for Panics {
    type Response = &'static str;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<&'static str, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.at(Place::PollReady);
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        self.at(Place::Call);
        let this = self.clone();
        Box::pin(async move {
            this.at(Place::Poll);
            Ok("answer")
        })
    }
}

/// A panic reaches the caller, and the same service answers the next call.
async fn survives_panics<L>(layer: impl Fn() -> L)
where
    L: Layer<Panics>,
    L::Service: Service<(), Response = &'static str>,
    <L::Service as Service<()>>::Error: Debug,
{
    for place in [Place::PollReady, Place::Call, Place::Poll] {
        let left = Arc::new(2.into());
        let mut service = layer().layer(Panics { place, left });
        for _ in 0..2 {
            let call = async { service.ready().await.unwrap().call(()).await.unwrap() };
            let panic = AssertUnwindSafe(call).catch_unwind().await.unwrap_err();
            assert!(panic.downcast_ref::<String>().unwrap().contains("inner service panics"));
        }
        assert!(answers(&mut service).await, "after panics in {place:?}");
    }
}

/// Neither `Send` nor `Sync`, with futures that are not `Unpin`.
#[derive(Clone)]
struct Local(Rc<Cell<u32>>);

impl Service<Rc<u32>> for Local {
    type Response = Rc<u32>;
    type Error = BoxError;
    type Future = Pinned;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Rc<u32>) -> Self::Future {
        self.0.set(self.0.get() + 1);
        Pinned(request, PhantomPinned)
    }
}

struct Pinned(Rc<u32>, PhantomPinned);

impl Future for Pinned {
    type Output = Result<Rc<u32>, BoxError>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(self.0.clone()))
    }
}

/// Of a future that holds one in a box, as tower's own do.
fn is_send<T: Send>(_: &T) {}

fn is_send_sync<T: Send + Sync>(_: &T) {}

fn is_plain<T: Clone + Debug + Send + Sync + Unpin + 'static>(value: &T) {
    assert!(!format!("{value:?}").is_empty());
    assert!(!format!("{:?}", value.clone()).is_empty());
}

/// A handler behind the layer, under `Router::layer`.
async fn status_under_router<L>(layer: L) -> StatusCode
where
    L: Layer<axum::routing::Route> + Clone + Send + Sync + 'static,
    L::Service: Service<Request<Body>, Error = BoxError> + Clone + Send + Sync + 'static,
    <L::Service as Service<Request<Body>>>::Response: axum::response::IntoResponse + Send + 'static,
    <L::Service as Service<Request<Body>>>::Future: Send + 'static,
{
    let refuse = |error: BoxError| async move { (StatusCode::IM_A_TEAPOT, error.to_string()) };
    let stack = ServiceBuilder::new().layer(HandleErrorLayer::new(refuse)).layer(layer);
    let router: Router =
        Router::new().route("/", get(|| async { StatusCode::ACCEPTED })).layer(stack);
    let request = Request::get("/").body(Body::empty()).unwrap();
    let answer: Result<_, Infallible> = router.oneshot(request).await;
    answer.unwrap().status()
}

/// What a layer keeps to that asks of its inner service what a task asks of its futures.
macro_rules! contract_of_tasks {
    ($layer:expr, $kind:path) => {
        #[tokio::test(start_paused = true)]
        async fn readiness_is_kept_over_a_never_ready_clone() {
            assert!(keeps_readiness($layer).await);
        }

        #[tokio::test(start_paused = true)]
        async fn a_future_that_is_dropped_leaves_nothing_behind() {
            assert!(drops_cleanly($layer).await);
        }

        #[tokio::test(start_paused = true)]
        async fn a_panic_reaches_the_caller_and_breaks_nothing() {
            survives_panics(|| $layer).await;
        }

        #[tokio::test(start_paused = true)]
        async fn layer_service_and_future_are_what_tower_users_expect() {
            let layer = $layer;
            is_plain(&layer);
            let mut service = layer.layer(Picky::new());
            is_plain(&service);
            let future = ServiceExt::<()>::ready(&mut service).await.unwrap().call(());
            $kind(&future);
            assert!(!format!("{future:?}").is_empty());
        }

        #[tokio::test(start_paused = true)]
        async fn it_goes_into_a_box() {
            let service = || $layer.layer(Picky::new());
            assert!(answers(&mut BoxService::new(service())).await);
            assert!(answers(&mut BoxCloneService::new(service())).await);
            assert!(answers(&mut BoxCloneSyncService::new(service())).await);
            assert!(answers(&mut BoxLayer::new($layer).layer(Picky::new())).await);
            assert!(answers(&mut BoxCloneServiceLayer::new($layer).layer(Picky::new())).await);
        }
    };
}

/// `$layer` makes the layer over services of `()`, `$local` over those of `Rc<u32>`, and `$http`
/// over those of HTTP requests.
macro_rules! contract {
    ($name:ident, $layer:expr, $local:expr, $http:expr) => {
        mod $name {
            use super::*;

            contract_of_tasks!($layer, is_send_sync);

            #[tokio::test(start_paused = true)]
            async fn an_inner_service_that_is_not_send_works() {
                let calls = Rc::new(Cell::new(0));
                let mut service = $local.layer(Local(calls.clone()));
                let answer = service.ready().await.unwrap().call(Rc::new(7)).await.unwrap();
                assert_eq!((*answer, calls.get()), (7, 1));
            }

            #[tokio::test(start_paused = true)]
            async fn it_and_an_object_of_it_work_under_router_layer() {
                assert_eq!(status_under_router($http).await, StatusCode::ACCEPTED);
                let object = BoxCloneSyncServiceLayer::new($http);
                assert_eq!(status_under_router(object).await, StatusCode::ACCEPTED);
            }
        }
    };
}

use tower::util::BoxCloneSyncServiceLayer;

/// Breaks the contract as middleware often does: calls a fresh clone, and keeps what it called.
#[derive(Clone)]
struct Careless;

#[derive(Clone)]
struct CallsAClone<S>(S);

impl<S> Layer<S> for Careless {
    type Service = CallsAClone<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CallsAClone(inner)
    }
}

impl<S: Service<()> + Clone> Service<()> for CallsAClone<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<S::Future>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, (): ()) -> Self::Future {
        let mut clone = self.0.clone();
        std::mem::forget(self.0.clone());
        Box::pin(clone.call(()))
    }
}

#[tokio::test(start_paused = true)]
async fn twin_a_layer_that_calls_a_fresh_clone_is_found_out() {
    assert!(!keeps_readiness(Careless).await);
    assert!(!drops_cleanly(Careless).await);
}

fn circuit() -> Circuit {
    Circuit::new("contract")
}

fn circuits() -> Circuits<u8> {
    Circuits::new(|_: &u8| Circuit::builder("contract"))
}

/// Of a target that is known to be well: what is not known would be refused.
fn health() -> Health {
    let policy = Policy::new().while_unknown(WhileUnknown::Refuse);
    let health = Health::builder("contract").policy(policy).build();
    health.up();
    health
}

contract!(gate, GateLayer::new(circuit()), GateLayer::new(circuit()), GateLayer::new(circuit()));
contract!(
    circuit_breaker,
    CircuitBreakerLayer::new(circuit()),
    CircuitBreakerLayer::new(circuit()),
    CircuitBreakerLayer::new(circuit())
);
contract!(
    circuit_breaker_with_a_classifier,
    CircuitBreakerLayer::new(circuit()).classify(|_: &Result<&str, BoxError>| Outcome::Ignored),
    CircuitBreakerLayer::new(circuit()).classify(|_: &Result<Rc<u32>, BoxError>| Outcome::Ignored),
    CircuitBreakerLayer::new(circuit())
        .classify(|_: &Result<Response, Infallible>| Outcome::Ignored)
);
contract!(
    keyed_circuit_breaker,
    CircuitBreakerLayer::keyed(circuits(), KEY as fn(&()) -> u8),
    CircuitBreakerLayer::keyed(circuits(), |_: &Rc<u32>| 1),
    CircuitBreakerLayer::keyed(circuits(), |_: &Request<Body>| 1)
);
contract!(
    fallback,
    FallbackLayer::new(Value::with(|| "fallback")),
    FallbackLayer::new(Value::with(|| Rc::new(0))),
    FallbackLayer::new(Value::with(teapot)).inner_within(FOREVER)
);
contract!(
    fallback_with_a_budget,
    FallbackLayer::new(Value::with(|| "fallback")).inner_within(FOREVER),
    FallbackLayer::new(Value::with(|| Rc::new(0))).inner_within(FOREVER),
    FallbackLayer::new(Value::with(teapot)).inner_within(FOREVER)
);
contract!(
    health_gate,
    HealthGateLayer::new(health()),
    HealthGateLayer::new(health()),
    HealthGateLayer::new(health())
);
contract!(
    health_gate_that_holds,
    HealthGateLayer::new(health()).hold_for(FOREVER, 1),
    HealthGateLayer::new(health()).hold_for(FOREVER, 1),
    HealthGateLayer::new(health()).hold_for(FOREVER, 1)
);
contract!(
    fallback_by_health,
    FallbackLayer::new(Value::with(|| "fallback")).by_health(health()),
    FallbackLayer::new(Value::with(|| Rc::new(0))).by_health(health()),
    FallbackLayer::new(Value::with(teapot)).by_health(health())
);
contract!(budget, BudgetLayer::new(FOREVER), BudgetLayer::new(FOREVER), BudgetLayer::new(FOREVER));

/// Calls that are shared go from task to task.
mod shared {
    use tower_failover::fallback::cached::{ByKey, Cache, Cached, CoalesceLayer};

    use super::*;

    type Key = fn(&()) -> Option<u8>;

    /// Keeps nothing of requests without a key, and of others everything.
    const KEYS: [Key; 2] = [|()| None, |()| Some(1)];

    fn cached(key: Key) -> Cached<ByKey<Key, u8, &'static str>> {
        Cached::new(Cache::builder("contract").build().0, key)
    }

    mod coalesce_without_a_key {
        use super::*;

        contract_of_tasks!(CoalesceLayer::new(cached(KEYS[0])), is_send);
    }

    mod coalesce {
        use super::*;

        contract_of_tasks!(CoalesceLayer::new(cached(KEYS[1])), is_send);
    }

    mod cached_over_coalesce {
        use super::*;

        contract_of_tasks!(
            {
                let cached = cached(KEYS[1]);
                (FallbackLayer::new(cached.clone()), CoalesceLayer::new(cached))
            },
            is_send
        );
    }
}

/// HTTP under and over a layer, for services that know nothing of it.
mod over_http {
    use axum::http::Response as HttpResponse;
    use futures::{TryFutureExt, future::MapOk};
    use http_body::{Body as HttpBody, Frame, SizeHint};
    use tower_failover::{
        grpc,
        http::{
            AnswerRefusalsLayer, AtEnd,
            cached::{AnnotateLayer, BodyLayer},
        },
    };

    use super::*;

    macro_rules! annotated {
        ($fallback:expr) => {
            (AnnotateLayer::new("annotated"), FallbackLayer::new(Value::with($fallback)).served())
        };
    }

    /// A body of no bytes whose length says what it stands for.
    #[derive(Clone, Debug)]
    struct Stands<T>(T);

    trait Length: Unpin {
        fn length(&self) -> u64;

        fn of(length: u64) -> Self;
    }

    impl Length for &'static str {
        fn length(&self) -> u64 {
            self.len() as u64
        }

        fn of(length: u64) -> Self {
            ["answer", "fallback"].into_iter().find(|word| word.len() as u64 == length).unwrap()
        }
    }

    impl Length for Rc<u32> {
        fn length(&self) -> u64 {
            u64::from(**self)
        }

        fn of(length: u64) -> Self {
            Rc::new(length.try_into().unwrap())
        }
    }

    impl<T: Length> HttpBody for Stands<T> {
        type Data = axum::body::Bytes;
        type Error = BoxError;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Self::Data>, BoxError>>> {
            Poll::Ready(None)
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(self.0.length())
        }
    }

    /// Puts a layer of HTTP between two services that are none.
    #[derive(Clone, Debug)]
    struct OverHttp<L>(L);

    #[derive(Clone, Debug)]
    struct IntoHttp<S>(S);

    #[derive(Clone, Debug)]
    struct FromHttp<S>(S);

    impl<S, L: Layer<IntoHttp<S>>> Layer<S> for OverHttp<L> {
        type Service = FromHttp<L::Service>;

        fn layer(&self, inner: S) -> Self::Service {
            FromHttp(self.0.layer(IntoHttp(inner)))
        }
    }

    impl<R, S: Service<R>> Service<R> for IntoHttp<S> {
        type Response = HttpResponse<Stands<S::Response>>;
        type Error = S::Error;
        type Future = MapOk<S::Future, fn(S::Response) -> Self::Response>;

        fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
            self.0.poll_ready(cx)
        }

        fn call(&mut self, request: R) -> Self::Future {
            self.0.call(request).map_ok(|response| HttpResponse::new(Stands(response)))
        }
    }

    impl<R: Word, B: HttpBody, S: Service<R, Response = HttpResponse<B>>> Service<R> for FromHttp<S> {
        type Response = R::Answer;
        type Error = S::Error;
        type Future = MapOk<S::Future, fn(HttpResponse<B>) -> R::Answer>;

        fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
            self.0.poll_ready(cx)
        }

        fn call(&mut self, request: R) -> Self::Future {
            self.0
                .call(request)
                .map_ok(|response| R::Answer::of(response.body().size_hint().exact().unwrap()))
        }
    }

    /// What the services of this file answer to a request.
    trait Word {
        type Answer: Length;
    }

    impl Word for () {
        type Answer = &'static str;
    }

    impl Word for Rc<u32> {
        type Answer = Rc<u32>;
    }

    contract!(
        circuit_breaker_for_http,
        OverHttp(CircuitBreakerLayer::for_http(circuit())),
        OverHttp(CircuitBreakerLayer::for_http(circuit())),
        CircuitBreakerLayer::for_http(circuit())
    );
    contract!(
        circuit_breaker_for_grpc,
        OverHttp(CircuitBreakerLayer::for_grpc(circuit())),
        OverHttp(CircuitBreakerLayer::for_grpc(circuit())),
        CircuitBreakerLayer::for_grpc(circuit())
    );
    contract!(
        keyed_circuit_breaker_for_http,
        OverHttp(CircuitBreakerLayer::keyed_for_http(circuits(), KEY as fn(&()) -> u8)),
        OverHttp(CircuitBreakerLayer::keyed_for_http(circuits(), |_: &Rc<u32>| 1)),
        CircuitBreakerLayer::keyed_for_http(circuits(), |_: &Request<Body>| 1)
    );
    contract!(
        gate_that_settles_at_the_end,
        OverHttp(GateLayer::new(circuit()).settle(AtEnd::new())),
        OverHttp(GateLayer::new(circuit()).settle(AtEnd::new())),
        GateLayer::new(circuit()).settle(AtEnd::by(grpc::Codes::new()))
    );
    contract!(
        answer_refusals,
        OverHttp(AnswerRefusalsLayer::new()),
        OverHttp(AnswerRefusalsLayer::new()),
        AnswerRefusalsLayer::new()
    );
    contract!(
        answer_refusals_of_grpc,
        OverHttp(AnswerRefusalsLayer::for_grpc()),
        OverHttp(AnswerRefusalsLayer::for_grpc()),
        (tower::util::MapErrLayer::new(BoxError::from), AnswerRefusalsLayer::for_grpc())
    );
    contract!(
        annotate,
        OverHttp(annotated!(|| HttpResponse::new(Stands("fallback")))),
        OverHttp(annotated!(|| HttpResponse::new(Stands(Rc::new(0))))),
        (tower::util::MapErrLayer::new(BoxError::from), annotated!(teapot))
    );
    contract!(
        bodies_for_a_cache,
        OverHttp(BodyLayer::new()),
        OverHttp(BodyLayer::new()),
        (tower::util::MapErrLayer::new(BoxError::from), BodyLayer::new())
    );

    #[tokio::test]
    async fn their_futures_and_bodies_are_what_tower_users_expect() {
        let inner = || IntoHttp(Picky::new());
        let mut gate = CircuitBreakerLayer::for_http(circuit()).layer(inner());
        let future = ServiceExt::<()>::ready(&mut gate).await.unwrap().call(());
        is_send_sync(&future);
        let body = future.await.unwrap().into_body();
        is_send_sync(&body);
        assert_eq!(format!("{body:?}"), "SettledBody { .. }");

        let mut answers = AnswerRefusalsLayer::new().infallible().layer(inner());
        is_plain(&answers);
        let future = ServiceExt::<()>::ready(&mut answers).await.unwrap().call(());
        is_send_sync(&future);
        assert_eq!(format!("{future:?}"), "ResponseFuture(calling)");
        let body = future.await.unwrap().into_body();
        is_send_sync(&body);
        assert!(format!("{body:?}").starts_with("OrEmpty"));
    }
}

const KEY: fn(&()) -> u8 = |()| 1;

fn teapot() -> Response {
    StatusCode::IM_A_TEAPOT.into_response()
}
