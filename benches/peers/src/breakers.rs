use std::{
    future::{Ready, ready},
    hint::black_box,
    time::Duration,
};

use failsafe::{FailurePolicy, backoff, failure_policy, futures::CircuitBreaker as _};
use layered::{Execute, Service as _, Stack};
use recloser::{AsyncRecloser, Recloser};
use seatbelt::{RecoveryInfo, ResilienceContext, breaker};
use tick::Clock;
use tower::{Layer, Service, service_fn};
use tower_failover::{
    Backoff,
    circuit_breaker::{Circuit, CircuitBreaker, Policy},
};
use tower_resilience_circuitbreaker as tower_resilience;

use crate::{
    Case, Down,
    support::{Candidate, call, drive},
};

/// Open circuits stay so for the whole run.
const OPEN_FOR: Duration = Duration::from_secs(600);
const SPAN: Duration = Duration::from_secs(10);

/// What the circuits do.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// Closed; trips on 50 % of at least 10 calls in 10 s or on 5 failures in a row, or as near to
    /// that as the peer gets.
    Closed,
    /// Closed; trips on 5 failures in a row.
    Consecutive,
    /// Tripped by failures.
    Open,
}

pub fn cases() -> Vec<Case<'static>> {
    let kinds =
        [("closed", Kind::Closed), ("consecutive", Kind::Consecutive), ("open", Kind::Open)];
    let case = |(name, kind), threads| (format!("{name}_{threads}t"), candidates(kind, threads));
    kinds.into_iter().flat_map(|kind| [1, 2].map(|threads| case(kind, threads))).collect()
}

/// The service fails requests that are this, so that circuits can be tripped.
const BAD: u64 = 0;
const GOOD: u64 = 1;

fn candidates(kind: Kind, threads: usize) -> Vec<Candidate<'static>> {
    let mut all = vec![
        candidate("bare", threads, service_fn(answer)),
        ours(kind, threads),
        tower_resilience(kind, threads),
        recloser(kind, threads),
        failsafe(kind, threads),
    ];
    // It has a failure rate only.
    if kind != Kind::Consecutive {
        all.push(seatbelt_layered(kind, threads));
        all.push(seatbelt_tower(kind, threads));
    }
    all
}

fn ours(kind: Kind, threads: usize) -> Candidate<'static> {
    let policy = match kind {
        Kind::Closed => Policy::new(),
        Kind::Consecutive => Policy::consecutive(5),
        Kind::Open => Policy::new().open_for(Backoff::fixed(OPEN_FOR)),
    };
    let circuit = Circuit::builder("peers").policy(policy).build();
    breaker("tower-failover", kind, threads, CircuitBreaker::new(service_fn(answer), circuit))
}

/// Its manual's basic usage. Its window of time keeps every call and walks over all of them under
/// a lock, so it gets the window of calls, which is its default.
fn tower_resilience(kind: Kind, threads: usize) -> Candidate<'static> {
    let builder = tower_resilience::CircuitBreakerLayer::builder().wait_duration_in_open(OPEN_FOR);
    let builder = match kind {
        Kind::Closed | Kind::Open => {
            builder.failure_rate_threshold(0.5).sliding_window_size(100).minimum_number_of_calls(10)
        }
        Kind::Consecutive => builder.consecutive_failures(5),
    };
    let layer = builder.build().expect("valid settings");
    let mut service = layer.layer(service_fn(answer));
    trip(kind, |request| call(&mut service, request).is_ok());
    run("tower-resilience", threads, service, |service| {
        crate::INSIDE_RUNTIME.with(|()| ());
        drop(call(service, GOOD));
    })
}

/// Its manual's quick start, over the `layered` service that it is made for.
fn seatbelt_layered(kind: Kind, threads: usize) -> Candidate<'static> {
    let service = (seatbelt_layer(), Execute::new(answer)).into_service();
    trip(kind, |request| drive(|| service.execute(request)).is_ok());
    run("seatbelt", threads, service, |service| {
        let service = black_box(service);
        let _ = drive(|| service.execute(black_box(GOOD)));
    })
}

/// The same as a service of Tower, its feature `tower-service`.
fn seatbelt_tower(kind: Kind, threads: usize) -> Candidate<'static> {
    breaker("seatbelt (tower)", kind, threads, seatbelt_layer().layer(service_fn(answer)))
}

/// With the clock that its documentation offers for low overhead.
fn seatbelt_layer() -> breaker::BreakerLayer<u64, Answer> {
    let context = ResilienceContext::new(Clock::new_tokio().with_fast_instant(true));
    breaker::Breaker::layer("breaker", &context)
        .recovery_with(|answer: &Answer, _| match answer {
            Ok(_) => RecoveryInfo::never(),
            Err(_) => RecoveryInfo::retry(),
        })
        .rejected_input_error(|_, _| Down)
        .failure_threshold(0.5)
        .min_throughput(10)
        .sampling_duration(SPAN)
        .break_duration(OPEN_FOR)
}

/// Its README's async usage. It has a window of calls only; failures in a row are a failure rate
/// of 100 % over as many calls.
fn recloser(kind: Kind, threads: usize) -> Candidate<'static> {
    let builder = Recloser::custom().open_wait(OPEN_FOR);
    let builder = match kind {
        Kind::Closed | Kind::Open => builder.error_rate(0.5).closed_len(100),
        Kind::Consecutive => builder.error_rate(1.0).closed_len(5),
    };
    let recloser = AsyncRecloser::from(builder.build());
    trip(kind, |request| drive(|| recloser.call(answer(request))).is_ok());
    run("recloser", threads, recloser, |recloser| {
        let recloser = black_box(recloser);
        let _ = drive(|| recloser.call(answer(black_box(GOOD))));
    })
}

/// The usage that its module `futures` documents, with the two policies of its default.
fn failsafe(kind: Kind, threads: usize) -> Candidate<'static> {
    let backoff = backoff::constant(OPEN_FOR);
    let consecutive = failure_policy::consecutive_failures(5, backoff.clone());
    let rate = failure_policy::success_rate_over_time_window(0.5, 10, SPAN, backoff);
    match kind {
        Kind::Closed | Kind::Open => failsafe_with(kind, threads, rate.or_else(consecutive)),
        Kind::Consecutive => failsafe_with(kind, threads, consecutive),
    }
}

fn failsafe_with<P>(kind: Kind, threads: usize, policy: P) -> Candidate<'static>
where
    P: FailurePolicy + Send + Sync + 'static,
{
    let breaker = failsafe::Config::new().failure_policy(policy).build();
    trip(kind, |request| drive(|| breaker.call(answer(request))).is_ok());
    run("failsafe", threads, breaker, |breaker| {
        let breaker = black_box(breaker);
        let _ = drive(|| breaker.call(answer(black_box(GOOD))));
    })
}

fn breaker<S>(name: &str, kind: Kind, threads: usize, mut service: S) -> Candidate<'static>
where
    S: Service<u64> + Clone + Send + 'static,
{
    trip(kind, |request| call(&mut service, request).is_ok());
    candidate(name, threads, service)
}

fn candidate<S>(name: &str, threads: usize, service: S) -> Candidate<'static>
where
    S: Service<u64> + Clone + Send + 'static,
{
    run(name, threads, service, |service| drop(call(service, GOOD)))
}

/// Threads have a clone each.
fn run<S>(
    name: &str,
    threads: usize,
    mut service: S,
    call: impl Fn(&mut S) + Sync + 'static,
) -> Candidate<'static>
where
    S: Clone + Send + 'static,
{
    match threads {
        1 => Candidate::new(name, move || call(&mut service)),
        _ => Candidate::on_threads(name, threads, service, call),
    }
}

/// Sees to it that the circuit is in the state that the case is about.
fn trip(kind: Kind, mut call: impl FnMut(u64) -> bool) {
    if kind == Kind::Open {
        for _ in 0..200 {
            call(BAD);
        }
    }
    assert_eq!(call(GOOD), kind != Kind::Open, "{kind:?}");
}

type Answer = Result<u64, Down>;

fn answer(request: u64) -> Ready<Answer> {
    ready(if request == BAD { Err(Down) } else { Ok(request) })
}
