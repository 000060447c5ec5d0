use layered::{Execute, Service as _, Stack};
use seatbelt::{ResilienceContext, fallback};
use tick::Clock;
use tower::{Layer, Service, service_fn};
use tower_failover::fallback::{FallbackLayer, Value};

use crate::{
    Case, Down, bad, good,
    support::{Candidate, call, drive},
};

pub fn cases() -> Vec<Case<'static>> {
    let cases = [("fallback_ok", false), ("fallback_err", true)];
    cases.map(|(name, fails)| (name.to_owned(), candidates(fails))).into()
}

fn candidates(fails: bool) -> Vec<Candidate<'static>> {
    match fails {
        false => all(service_fn(good), good),
        true => all(service_fn(bad), bad),
    }
}

fn all<S, F, R>(bare: S, function: F) -> Vec<Candidate<'static>>
where
    S: Service<u64, Response = u64, Error = Down, Future = R> + Copy + Send + Sync + 'static,
    F: Fn(u64) -> R + Copy + Send + Sync + 'static,
    R: Future<Output = Result<u64, Down>> + Send + 'static,
{
    vec![
        candidate("bare", bare),
        candidate("tower-failover", FallbackLayer::new(Value::with(one)).layer(bare)),
        // Its manual's first example: `FallbackLayer::value`.
        candidate(
            "tower-resilience",
            tower_resilience_fallback::FallbackLayer::<u64, u64, Down>::value(1).layer(bare),
        ),
        seatbelt_layered(function),
        candidate("seatbelt (tower)", seatbelt_layer().layer(bare)),
    ]
}

fn candidate<S>(name: &str, mut service: S) -> Candidate<'static>
where
    S: Service<u64> + 'static,
{
    Candidate::new(name, move || drop(call(&mut service, 1)))
}

/// Its manual's quick start, over the `layered` service that it is made for.
fn seatbelt_layered<F, R>(function: F) -> Candidate<'static>
where
    F: Fn(u64) -> R + Send + Sync + 'static,
    R: Future<Output = Result<u64, Down>> + Send + 'static,
{
    let service = (seatbelt_layer(), Execute::new(function)).into_service();
    Candidate::new("seatbelt", move || {
        let service = std::hint::black_box(&service);
        let _ = drive(|| service.execute(std::hint::black_box(1)));
    })
}

type Answer = Result<u64, Down>;

fn seatbelt_layer() -> fallback::FallbackLayer<u64, Answer> {
    let context = ResilienceContext::new(Clock::new_tokio());
    fallback::Fallback::layer("fallback", &context)
        .should_fallback(|answer: &Answer| answer.is_err())
        .fallback_output(Ok(1))
}

fn one() -> u64 {
    1
}
