//! A hand loop that interleaves its candidates: this machine is shared and noisy, so every round
//! runs each of them once, the bare service among them, and what is printed is the median over
//! the rounds.
#![allow(dead_code, unreachable_pub, reason = "each bench uses a part of it")]

use std::{
    hint::{black_box, spin_loop},
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use tower::Service;

const ROUNDS: usize = 301;
const MOST_CALLS: u32 = 10_000;
/// Far less than the scheduler gives a thread at a time, so that most rounds are undisturbed. A
/// candidate that is slow makes fewer calls.
const ROUND: Duration = Duration::from_micros(300);
/// Threads that did not run at the same time try again.
const ENOUGH_OVERLAP: f64 = 0.8;
const MOST_TRIES: u32 = 50;

/// Something to measure.
pub struct Candidate<'a> {
    name: String,
    threads: usize,
    /// Makes so many calls and tells the nanoseconds a call.
    run: Box<dyn FnMut(u32) -> f64 + 'a>,
}

/// What a candidate cost.
pub struct Cost {
    pub name: String,
    /// Nanoseconds a call.
    pub nanos: f64,
    /// Allocations a call, counted where one thread calls.
    pub allocations: Option<f64>,
}

impl<'a> Candidate<'a> {
    /// Calls a closure again and again. The loop is compiled with it.
    pub fn new(name: impl Into<String>, mut call: impl FnMut() + 'a) -> Self {
        let run = move |calls| time(calls, &mut call);
        Self { name: name.into(), threads: 1, run: Box::new(run) }
    }

    /// Has threads call at the same time, each with a clone of its own of what is called.
    pub fn on_threads<S>(
        name: impl Into<String>,
        threads: usize,
        service: S,
        call: impl Fn(&mut S) + Sync + 'a,
    ) -> Self
    where
        S: Clone + Send + 'a,
    {
        let run = move |calls| {
            let mut tries = 0;
            loop {
                let (nanos, overlap) = together(threads, calls, &service, &call);
                tries += 1;
                if overlap >= ENOUGH_OVERLAP || tries == MOST_TRIES {
                    return nanos;
                }
            }
        };
        Self { name: name.into(), threads, run: Box::new(run) }
    }

    /// As many calls as a round has time for, found by making them.
    fn calls(&mut self) -> u32 {
        let mut calls = 100;
        loop {
            let nanos = (self.run)(calls);
            let fitting = ROUND.as_nanos() as f64 / nanos.max(0.01);
            if calls == MOST_CALLS || fitting < f64::from(calls) {
                return (fitting as u32).clamp(10, MOST_CALLS);
            }
            calls = (calls * 10).min(MOST_CALLS);
        }
    }
}

/// One round of threads: the nanoseconds a call, and the share of the time that all were running.
fn together<S>(threads: usize, calls: u32, service: &S, call: impl Fn(&mut S) + Sync) -> (f64, f64)
where
    S: Clone + Send,
{
    let waiting = AtomicUsize::new(threads);
    let runs: Vec<(Instant, Instant)> = std::thread::scope(|scope| {
        let (waiting, call) = (&waiting, &call);
        let run = move |mut service: S| {
            waiting.fetch_sub(1, Ordering::AcqRel);
            while waiting.load(Ordering::Acquire) > 0 {
                spin_loop();
            }
            let start = now();
            (0..calls).for_each(|_| call(&mut service));
            (start, now())
        };
        let services = (0..threads).map(|_| service.clone());
        let runs: Vec<_> = services.map(|service| scope.spawn(move || run(service))).collect();
        runs.into_iter().map(|run| run.join().expect("a bench does not panic")).collect()
    });
    let taken: Duration = runs.iter().map(|(start, end)| *end - *start).sum();
    let last_start = runs.iter().map(|(start, _)| *start).max();
    let first_end = runs.iter().map(|(_, end)| *end).min();
    let shared = first_end.zip(last_start).map(|(end, start)| end.saturating_duration_since(start));
    let overlap = shared.unwrap_or_default() * threads as u32;
    let nanos = taken.as_nanos() as f64 / f64::from(calls) / threads as f64;
    (nanos, overlap.as_secs_f64() / taken.as_secs_f64())
}

#[inline]
fn time(calls: u32, mut call: impl FnMut()) -> f64 {
    let start = now();
    (0..calls).for_each(|_| call());
    start.elapsed().as_nanos() as f64 / f64::from(calls)
}

/// Measures all candidates in one run.
pub fn measure(candidates: &mut [Candidate<'_>]) -> Vec<Cost> {
    let calls: Vec<_> = candidates.iter_mut().map(Candidate::calls).collect();
    let mut nanos = vec![Vec::with_capacity(ROUNDS); candidates.len()];
    for _ in 0..ROUNDS {
        for ((candidate, &calls), nanos) in candidates.iter_mut().zip(&calls).zip(&mut nanos) {
            nanos.push((candidate.run)(calls));
        }
    }
    candidates
        .iter_mut()
        .zip(nanos)
        .map(|(candidate, nanos)| Cost {
            name: candidate.name.clone(),
            nanos: median(nanos),
            allocations: allocations(candidate),
        })
        .collect()
}

/// Prints what the candidates cost over the first of them, which is the bare service.
pub fn print(title: &str, costs: &[Cost]) {
    println!("{title:44} {:>8} {:>10} {:>12}", "ns", "over bare", "allocations");
    for Cost { name, nanos, allocations } in costs {
        let over = nanos - costs[0].nanos;
        let allocations = allocations.map_or("-".into(), |count| format!("{count:.2}"));
        println!("{name:44} {nanos:8.1} {over:10.1} {allocations:>12}");
    }
    println!();
}

/// Makes one call, the way an executor would that has nothing else to do.
///
/// The service, the request and the response are opaque to the optimiser, so the work of the bare
/// service is not optimised away in one candidate and left in another.
#[inline]
pub fn call<S, R>(service: &mut S, request: R) -> Result<S::Response, S::Error>
where
    S: Service<R>,
{
    let service = black_box(service);
    let mut cx = Context::from_waker(Waker::noop());
    while service.poll_ready(&mut cx).is_pending() {
        spin_loop();
    }
    drive(|| service.call(black_box(request)))
}

/// Polls a future until it is done. It is made in place, so that no candidate pays for a move.
#[inline]
pub fn drive<F: Future>(make: impl FnOnce() -> F) -> F::Output {
    let mut cx = Context::from_waker(Waker::noop());
    let mut future = pin!(make());
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return black_box(output),
            Poll::Pending => spin_loop(),
        }
    }
}

fn allocations(candidate: &mut Candidate<'_>) -> Option<f64> {
    const MANY: u32 = 1_000;
    let run = || {
        (candidate.run)(MANY);
    };
    let count = || allocation_counter::measure(run).count_total;
    (candidate.threads == 1).then(|| count() as f64 / f64::from(MANY))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn now() -> Instant {
    Instant::now()
}
