//! What one circuit costs when one thread calls through it, and when two do at the same time.
//!
//! `cargo bench --bench contention`

mod support;

use std::{
    future::{Ready, ready},
    time::Duration,
};

use support::{Candidate, Cost, call, measure};
use tower::{Service, service_fn};
use tower_failover::{
    Backoff, BoxError, Ratio,
    circuit_breaker::{Circuit, CircuitBreaker, Policy, Rate, Window},
};

fn main() {
    let calls = Rate::new(Ratio::percent(50), Window::Calls(100));
    let closed = |policy| Circuit::builder("closed").policy(policy).build();
    let open = closed(Policy::consecutive(1).open_for(Backoff::fixed(Duration::from_secs(600))));
    open.permit().expect("closed").failure();
    let forced_open = Circuit::new("forced open");
    forced_open.force_open();
    let circuits = [
        ("closed, consecutive policy", closed(Policy::consecutive(5))),
        ("closed, default policy", closed(Policy::new())),
        ("closed, last 100 calls", closed(Policy::rate(calls))),
        ("open for a time", open),
        ("forced open", forced_open),
    ];

    let mut candidates: Vec<_> = pair("bare", service_fn(good)).into();
    for (name, circuit) in circuits {
        candidates.extend(pair(name, CircuitBreaker::new(service_fn(good), circuit)));
    }
    let costs = measure(&mut candidates);
    let (bare, rest) = costs.split_at(2);
    println!("{:44} {:>9} {:>9} {:>6}", "over bare, ns", "1 thread", "2 threads", "ratio");
    for pair in rest.chunks(2) {
        let over = |thread: usize| pair[thread].nanos - bare[thread].nanos;
        let (one, two) = (over(0), over(1));
        println!("{:44} {one:9.1} {two:9.1} {:6.1}", pair[0].name, two / one);
    }
    let nanos = |cost: &Cost| cost.nanos;
    println!("{:44} {:9.1} {:9.1}", bare[0].name, nanos(&bare[0]), nanos(&bare[1]));
}

/// The same by one thread and by two.
fn pair<'a, S>(name: &str, service: S) -> [Candidate<'a>; 2]
where
    S: Service<u64> + Clone + Send + 'a,
{
    [1, 2].map(|threads| {
        Candidate::on_threads(name, threads, service.clone(), |service| drop(call(service, 1)))
    })
}

fn good(request: u64) -> Ready<Result<u64, BoxError>> {
    ready(Ok(request))
}
