//! A gRPC service fails in its trailers, is left alone, and comes back. Needs no server: it starts
//! its own. `cargo run --example tonic_client`
//!
//! Each call lists words. While the service is down its streams begin well and end in
//! `UNAVAILABLE`; the circuit counts that, opens, and refuses with a status that says when to come
//! back. Ends in an error if the story was another.

#[path = "../tests/support/grpc.rs"]
mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use support::{WordClient, WordServer, Words, messages};
use tokio::time::{Instant, sleep};
use tonic::{Code, Status, body::Body, client::GrpcService, service::Routes};
use tonic_types::StatusExt;
use tower::ServiceBuilder;
use tower_failover::{
    Backoff, BoxError,
    circuit_breaker::{Circuit, CircuitBreakerLayer, Policy, State},
    event::Event,
    http::AnswerRefusalsLayer,
};

const OPEN_FOR: Duration = Duration::from_millis(200);
const PHASE: Duration = Duration::from_millis(600);
const PAUSE: Duration = Duration::from_millis(10);

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let is_down = Arc::new(AtomicBool::new(false));
    let words = Words::new({
        let is_down = is_down.clone();
        move |_| match is_down.load(Ordering::Relaxed) {
            false => messages([Ok("one"), Ok("two")]),
            true => messages([Ok("one"), Err(Status::unavailable("the store is gone"))]),
        }
    });
    let server = WordServer::start(Routes::new(words.clone()));

    let circuit = Circuit::builder("words")
        .policy(Policy::consecutive(3).open_for(Backoff::fixed(OPEN_FOR)))
        .observe(|event: &Event<'_>| {
            if let Event::Transition(transition) = event {
                println!("{transition}");
            }
        })
        .build();
    let mut client = WordClient::new(
        ServiceBuilder::new()
            .layer(AnswerRefusalsLayer::for_grpc())
            .layer(CircuitBreakerLayer::for_grpc(circuit.clone()))
            .service(server.channel()),
    );

    let mut counts = Counts::default();
    let mut closed_after = None;
    for (phase, down) in [("healthy", false), ("down", true), ("back", false)] {
        println!("the service is {phase}");
        is_down.store(down, Ordering::Relaxed);
        let began = Instant::now();
        while began.elapsed() < PHASE {
            counts.add(call(&mut client).await?);
            if phase == "back" && closed_after.is_none() && circuit.state() == State::Closed {
                closed_after = Some(began.elapsed());
            }
            sleep(PAUSE).await;
        }
        if down && circuit.state() == State::Closed {
            return Err("the circuit stayed closed while the service was down".into());
        }
    }

    let closed_after = closed_after.ok_or("the circuit did not close")?;
    let Counts { calls, ok, failed_in_trailers, refused } = counts;
    println!(
        "calls={calls} ok={ok} failed_in_trailers={failed_in_trailers} refused={refused} \
         closed_after_ms={}",
        closed_after.as_millis()
    );
    let reached = u32::try_from(words.calls())?;
    let is_as_told = ok > 0 && failed_in_trailers >= 3 && refused > 0;
    match is_as_told && reached == ok + failed_in_trailers && calls == reached + refused {
        true => Ok(()),
        false => Err(format!("another story: {reached} calls reached the service").into()),
    }
}

/// How a call ended.
enum End {
    Ok,
    FailedInTrailers,
    Refused,
}

/// Lists words, to the end.
async fn call<S>(client: &mut WordClient<S>) -> Result<End, Status>
where
    S: GrpcService<Body>,
    S::ResponseBody: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    <S::ResponseBody as http_body::Body>::Error: Into<BoxError> + Send,
{
    let mut stream = match client.list("all").await {
        Ok(stream) => stream,
        Err(status) if says_when_to_come_back(&status) => return Ok(End::Refused),
        Err(status) => return Err(status),
    };
    loop {
        match stream.message().await {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(End::Ok),
            Err(status) if status.code() == Code::Unavailable => return Ok(End::FailedInTrailers),
            Err(status) => return Err(status),
        }
    }
}

fn says_when_to_come_back(status: &Status) -> bool {
    let delay = status.get_details_retry_info().and_then(|it| it.retry_delay);
    status.code() == Code::Unavailable
        && status.metadata().contains_key("grpc-retry-pushback-ms")
        && delay.is_some_and(|delay| delay <= OPEN_FOR)
}

#[derive(Default)]
struct Counts {
    calls: u32,
    ok: u32,
    failed_in_trailers: u32,
    refused: u32,
}

impl Counts {
    fn add(&mut self, end: End) {
        self.calls += 1;
        match end {
            End::Ok => self.ok += 1,
            End::FailedInTrailers => self.failed_in_trailers += 1,
            End::Refused => self.refused += 1,
        }
    }
}
