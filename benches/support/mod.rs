//! A hand loop that interleaves its candidates: this machine is shared and noisy, so every round
//! runs each of them once, and what is printed is the median over the rounds.
#![allow(dead_code, unreachable_pub, reason = "each bench uses a part of it")]

use std::{
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Instant,
};

use tower::Service;

const ROUNDS: usize = 31;
const CALLS: u32 = 100_000;

/// A candidate: its name, and a closure that makes one call.
pub struct Candidate<'a> {
    name: String,
    call: Box<dyn FnMut(u32) + 'a>,
}

/// What one candidate cost per call.
pub struct Cost {
    pub name: String,
    pub nanos: f64,
    pub allocations: f64,
}

impl<'a> Candidate<'a> {
    /// The closure is called in a loop that is compiled with it.
    pub fn new(name: impl Into<String>, mut call: impl FnMut() + 'a) -> Self {
        let call = move |calls| (0..calls).for_each(|_| call());
        Self { name: name.into(), call: Box::new(call) }
    }
}

/// Measures the candidates in one run.
pub fn measure(candidates: &mut [Candidate<'_>]) -> Vec<Cost> {
    let mut times = vec![Vec::with_capacity(ROUNDS); candidates.len()];
    for round in 0..=ROUNDS {
        for (candidate, times) in candidates.iter_mut().zip(&mut times) {
            let start = now();
            (candidate.call)(CALLS);
            // The first round warms up.
            if round > 0 {
                times.push(start.elapsed().as_nanos() as f64 / f64::from(CALLS));
            }
        }
    }
    candidates
        .iter_mut()
        .zip(times)
        .map(|(candidate, times)| Cost {
            name: candidate.name.clone(),
            nanos: median(times),
            allocations: allocation_counter::measure(|| (candidate.call)(1_000)).count_total as f64
                / 1_000.0,
        })
        .collect()
}

/// Measures a call made by several threads at once, each on a clone of its own.
pub fn measure_threads<S>(threads: usize, service: S, call: fn(&mut S)) -> f64
where
    S: Clone + Send,
{
    let times = (0..ROUNDS).map(|_| {
        let barrier = std::sync::Barrier::new(threads);
        let per_call = std::thread::scope(|scope| {
            let runs: Vec<_> = (0..threads)
                .map(|_| {
                    let (barrier, mut service) = (&barrier, service.clone());
                    scope.spawn(move || {
                        barrier.wait();
                        let start = now();
                        (0..CALLS).for_each(|_| call(&mut service));
                        start.elapsed().as_nanos() as f64 / f64::from(CALLS)
                    })
                })
                .collect();
            runs.into_iter().map(|run| run.join().expect("a bench does not panic")).sum::<f64>()
        });
        per_call / threads as f64
    });
    median(times.collect())
}

pub fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Makes one call of a service whose future is ready at once.
#[inline]
pub fn call<S, R>(service: &mut S, request: R) -> Result<S::Response, S::Error>
where
    S: Service<R>,
{
    let mut cx = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut cx).is_ready(), "the service is ready");
    match pin!(service.call(black_box(request))).poll(&mut cx) {
        Poll::Ready(result) => black_box(result),
        Poll::Pending => panic!("the service answers at once"),
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn now() -> Instant {
    Instant::now()
}
