//! Redis is killed, paused and restarted under 64 callers, and none of them fails. Starts its own
//! `redis-server`. `cargo run --example redis_outage`
//!
//! A line per fault: the time from the fault to the first answer of the fallback, the time from
//! Redis' return to its first answer, and how long the fallback took once the circuit was open.

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Duration;

use redis::{Cmd, Value};
use support::RedisServer;
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
    time::{Instant, sleep},
};
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_failover::{
    Backoff, BoxError, CircuitBreakerLayer, FallbackLayer,
    circuit_breaker::{Circuit, Policy, State},
    fallback::{self, Served, Source},
    redis::{Connection, ConnectionPolicy, RedisService, Unavailable},
};

const CALLERS: usize = 64;
const PAUSE: Duration = Duration::from_millis(2);
const OUTAGE: Duration = Duration::from_secs(1);
const AROUND: Duration = Duration::from_millis(500);

const RESPONSE_TIMEOUT: Duration = Duration::from_millis(100);
const PROBE_INTERVAL: Duration = Duration::from_millis(200);
const RECONNECT: Backoff = Backoff::fixed(Duration::from_millis(20));

/// What one call came to.
struct Answer {
    began: Instant,
    ended: Instant,
    was_open: bool,
    source: Option<Source>,
}

impl Answer {
    fn is_primary(&self) -> bool {
        self.source == Some(Source::Primary)
    }

    fn is_fallback(&self) -> bool {
        self.source.is_some() && !self.is_primary()
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let mut server = RedisServer::start().await;
    let connection = Connection::open(server.url())?
        .policy(ConnectionPolicy::DEFAULT.response_timeout(RESPONSE_TIMEOUT).backoff(RECONNECT))
        .spawn();
    connection.wait_until_connected().await?;
    let circuit = Circuit::builder("redis")
        .policy(Policy::new().open_for(Backoff::fixed(PROBE_INTERVAL)))
        .build();
    let service = ServiceBuilder::new()
        .layer(
            FallbackLayer::new(fallback::from_fn(|_: &_| Ok(Value::Nil)))
                .classify(Unavailable)
                .served(),
        )
        .layer(CircuitBreakerLayer::new(circuit.clone()).classify(Unavailable))
        .service(RedisService::new(connection));

    println!("response_timeout={RESPONSE_TIMEOUT:?} probe_interval={PROBE_INTERVAL:?}");
    let (sender, mut answers) = unbounded_channel();
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        callers.spawn(call_for_ever(service.clone(), circuit.clone(), sender.clone()));
    }
    sleep(AROUND).await;

    let fault = Instant::now();
    server.kill();
    sleep(OUTAGE).await;
    server.launch();
    server.wait_until_ready().await;
    let mut failed = report("SIGKILL", fault, Instant::now(), &mut answers).await;

    let fault = Instant::now();
    server.pause();
    sleep(OUTAGE).await;
    server.resume();
    failed += report("SIGSTOP", fault, Instant::now(), &mut answers).await;

    let fault = Instant::now();
    server.restart().await;
    failed += report("restart", fault, Instant::now(), &mut answers).await;
    if failed == 0 { Ok(()) } else { Err(format!("{failed} callers got no answer").into()) }
}

async fn call_for_ever<S>(mut service: S, circuit: Circuit, answers: UnboundedSender<Answer>)
where
    S: Service<Cmd, Response = Served<Value>, Error = BoxError>,
{
    loop {
        let began = Instant::now();
        let was_open = circuit.state() == State::Open;
        let served = match service.ready().await {
            Ok(service) => service.call(redis::cmd("GET").arg("key").clone()).await,
            Err(error) => Err(error),
        };
        let source = served.ok().map(|served| served.source());
        let answer = Answer { began, ended: Instant::now(), was_open, source };
        let is_primary = answer.is_primary();
        if answers.send(answer).is_err() {
            return;
        }
        // Redis sets the pace while it answers; the fallback would set none.
        if !is_primary {
            sleep(PAUSE).await;
        }
    }
}

/// Waits until Redis has served a while, says what the callers saw since the fault, and returns how
/// many of them failed.
async fn report(
    fault: &str,
    fault_at: Instant,
    back_at: Instant,
    answers: &mut UnboundedReceiver<Answer>,
) -> usize {
    sleep(PROBE_INTERVAL + AROUND).await;
    let mut seen = Vec::new();
    answers.recv_many(&mut seen, usize::MAX).await;
    seen.retain(|answer| answer.ended >= fault_at);

    let first = |ended: Option<Instant>, since: Instant| match ended {
        Some(at) => format!("{:.1}", at.duration_since(since).as_secs_f64() * 1e3),
        None => "never".to_owned(),
    };
    let failed = seen.iter().filter(|answer| answer.source.is_none()).count();
    let fallback_at = seen.iter().filter(|a| a.is_fallback()).map(|a| a.ended).min();
    // An answer that Redis gave before it died, or before it was ready to our own eyes, is none.
    let primary_at =
        seen.iter().filter(|a| a.is_primary() && a.began >= back_at).map(|a| a.ended).min();
    let mut open: Vec<_> = seen
        .iter()
        .filter(|answer| answer.is_fallback() && answer.was_open)
        .map(|answer| answer.ended.duration_since(answer.began))
        .collect();
    open.sort();
    let percentile = |share: f64| match open.len() {
        0 => "none".to_owned(),
        n => format!("{:.3}", open[((n - 1) as f64 * share) as usize].as_secs_f64() * 1e3),
    };
    println!(
        "fault={fault} calls={} failed={failed} fallback_after_ms={} primary_after_ms={} \
         open_p50_ms={} open_p99_ms={}",
        seen.len(),
        first(fallback_at, fault_at),
        first(primary_at, back_at),
        percentile(0.5),
        percentile(0.99),
    );
    failed
}
