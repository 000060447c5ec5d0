//! What each layer costs over a service that does nothing: nanoseconds and allocations a call.
//!
//! `cargo bench --bench overhead`

mod support;

use std::{
    future::{Ready, ready},
    time::Duration,
};

use support::{Candidate, call, measure};
use tower::service_fn;
use tower_failover::{
    Backoff, BoxError, Ratio,
    circuit_breaker::{Circuit, CircuitBreaker, Policy, Rate, Window},
};

fn bare(request: u64) -> Ready<Result<u64, BoxError>> {
    ready(Ok(request))
}

fn breaker<F>(circuit: &Circuit, service: F) -> CircuitBreaker<F> {
    CircuitBreaker::new(service, circuit.clone())
}

fn main() {
    let calls = Rate::new(Ratio::percent(50), Window::Calls(100));
    let consecutive = Circuit::builder("consecutive").policy(Policy::consecutive(5)).build();
    let default = Circuit::new("default");
    let last_calls = Circuit::builder("last calls").policy(Policy::rate(calls)).build();
    let slow = Policy::new().slow_calls(Duration::from_secs(1), calls);
    let slow = Circuit::builder("slow calls").policy(slow).build();
    let owned_name = Circuit::new(String::from("owned"));
    owned_name.force_open();
    let refused = Circuit::new("refused");
    refused.force_open();
    let open = Circuit::builder("open")
        .policy(Policy::consecutive(1).open_for(Backoff::fixed(Duration::from_secs(600))))
        .build();
    open.permit().expect("closed").failure();
    let half_open = Circuit::builder("half-open")
        .policy(
            Policy::consecutive(1)
                .open_for(Backoff::fixed(Duration::from_millis(1)))
                .successes_to_close(u32::MAX),
        )
        .build();
    half_open.permit().expect("closed").failure();
    std::thread::sleep(Duration::from_millis(5));

    let bare = service_fn(bare);
    let mut services = [
        ("bare", None),
        ("breaker, closed, consecutive policy", Some(&consecutive)),
        ("breaker, closed, default policy", Some(&default)),
        ("breaker, closed, last 100 calls", Some(&last_calls)),
        ("breaker, closed, default + slow calls", Some(&slow)),
        ("breaker, forced open", Some(&refused)),
        ("breaker, forced open, name not a literal", Some(&owned_name)),
        ("breaker, open", Some(&open)),
        ("breaker, half-open", Some(&half_open)),
    ];
    let mut candidates: Vec<_> = services
        .iter_mut()
        .map(|(name, circuit)| match circuit {
            None => {
                let mut service = bare;
                Candidate::new(*name, move || drop(call(&mut service, 1)))
            }
            Some(circuit) => {
                let mut service = breaker(circuit, bare);
                Candidate::new(*name, move || drop(call(&mut service, 1)))
            }
        })
        .collect();
    let costs = measure(&mut candidates);
    println!("{:45} {:>9} {:>9} {:>12}", "candidate", "ns", "over bare", "allocations");
    for cost in &costs {
        let over = cost.nanos - costs[0].nanos;
        println!("{:45} {:9.1} {over:9.1} {:12.2}", cost.name, cost.nanos, cost.allocations);
    }
}
