//! A backend goes down and comes back; no caller notices. `cargo run --example quickstart`
//!
//! Needs no server: the backend lives in this process and has a switch for outages. With
//! `REDIS_URL` set, that Redis is the backend, and the switch stands before it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use redis::{Cmd, Value};
use tokio::time::{Instant, sleep, timeout};
use tower::{Service, ServiceBuilder, ServiceExt, filter::FilterLayer, util::BoxCloneService};
use tower_failover::{
    Backoff, BoxError, CircuitBreakerLayer, FallbackLayer,
    circuit_breaker::{Circuit, Policy},
    event::Event,
    fallback::{self, Source},
    redis::{Connection, RedisService, Unavailable},
};

const OPEN_FOR: Duration = Duration::from_millis(200);
const PHASE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(10);

type Backend = BoxCloneService<Cmd, Value, BoxError>;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let circuit = Circuit::builder("backend")
        .policy(Policy::consecutive(3).open_for(Backoff::fixed(OPEN_FOR)))
        .observe(|event: &Event<'_>| {
            if let Event::Transition(transition) = event {
                println!("{transition}");
            }
        })
        .build();
    let outage = Switch::default();

    let mut service = ServiceBuilder::new()
        .layer(
            FallbackLayer::new(fallback::from_fn(|_: &_| {
                Ok(Value::SimpleString("hello from memory".into()))
            }))
            .classify(Unavailable)
            .served(),
        )
        .layer(CircuitBreakerLayer::new(circuit).classify(Unavailable))
        .timeout(Duration::from_millis(100))
        .layer(FilterLayer::new(outage.clone()))
        .service(backend().await?);

    let mut counts = Counts::default();
    for (phase, is_down) in [("healthy", false), ("down", true), ("back", false)] {
        println!("the backend is {phase}");
        outage.0.store(is_down, Ordering::Relaxed);
        let end = Instant::now() + PHASE;
        while Instant::now() < end {
            let answer = service.ready().await?.call(redis::cmd("GET").arg("greeting").clone());
            counts.add(answer.await.map(|served| served.source()));
            sleep(PAUSE).await;
        }
    }
    let Counts { calls, primary, fallback, failed } = counts;
    println!("calls={calls} primary={primary} fallback={fallback} failed={failed}");
    Ok(())
}

/// Redis if there is one, else a service that plays it.
async fn backend() -> Result<Backend, BoxError> {
    let Ok(url) = std::env::var("REDIS_URL") else {
        let memory = tower::service_fn(async |_: Cmd| Ok(Value::SimpleString("hello".into())));
        return Ok(BoxCloneService::new(memory));
    };
    let connection = Connection::open(url)?.spawn();
    timeout(Duration::from_secs(5), connection.wait_until_connected())
        .await
        .map_err(|_| format!("no Redis at {}", connection.server()))??;
    println!("using Redis at {}", connection.server());
    let service = ServiceExt::<Cmd>::map_err(RedisService::new(connection), BoxError::from);
    Ok(BoxCloneService::new(service))
}

/// While it is on, no request reaches the backend.
#[derive(Clone, Default)]
struct Switch(Arc<AtomicBool>);

impl tower::filter::Predicate<Cmd> for Switch {
    type Request = Cmd;

    fn check(&mut self, request: Cmd) -> Result<Cmd, BoxError> {
        if self.0.load(Ordering::Relaxed) { Err("connection refused".into()) } else { Ok(request) }
    }
}

#[derive(Default)]
struct Counts {
    calls: u32,
    primary: u32,
    fallback: u32,
    failed: u32,
}

impl Counts {
    fn add(&mut self, source: Result<Source, BoxError>) {
        self.calls += 1;
        match source {
            Ok(Source::Primary) => self.primary += 1,
            Ok(_) => self.fallback += 1,
            Err(_) => self.failed += 1,
        }
    }
}
