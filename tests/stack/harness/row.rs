use std::{
    thread,
    time::{Duration, Instant},
};

use tokio::{runtime::Builder, time::sleep};

use super::{
    BUSY, Design, Fault, Ground, Lane, PATIENCE, RECONNECT, Report,
    lane::holds,
    record::{Connects, Cycle, Record, Span},
    report::Bounds,
};

/// A line of the fault table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub name: &'static str,
    pub fault: Fault,
    /// From the fault to the first fallback at most.
    pub x: Duration,
    /// From the heal to the first answer of Redis at most.
    pub y: Duration,
    pub cycles: usize,
    /// Stacks, each with a server of its own, that share the cycles.
    pub lanes: usize,
    pub callers: usize,
    /// Of each caller, between its calls.
    pub pause: Duration,
    pub length: Duration,
    /// Over RESP3, in which the client is told when it loses its connection.
    pub is_resp3: bool,
}

impl Row {
    pub const fn new(name: &'static str, fault: Fault, x: Duration, y: Duration) -> Self {
        Self {
            name,
            fault,
            x,
            y,
            cycles: 20,
            lanes: 1,
            callers: 16,
            pause: Duration::from_millis(10),
            length: fault.length(),
            is_resp3: false,
        }
    }

    pub const fn cycles(self, cycles: usize, lanes: usize) -> Self {
        Self { cycles, lanes, ..self }
    }

    pub const fn length(self, length: Duration) -> Self {
        Self { length, ..self }
    }

    pub const fn over_resp3(self, name: &'static str) -> Self {
        Self { name, is_resp3: true, ..self }
    }

    pub const fn bounds(&self) -> Bounds {
        Bounds { x: self.x, y: self.y }
    }
}

/// Runs a row over stacks of this design.
pub fn run(row: Row, design: impl Fn(&Ground) -> Design + Sync) -> Report {
    let seed = fastrand::u64(..);
    let run_lane = |lane: usize| {
        let random = fastrand::Rng::with_seed(seed.wrapping_add(lane as u64));
        let cycles = (row.cycles + lane) / row.lanes;
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run_lane(row, cycles, &design, random))
    };
    let records = thread::scope(|scope| {
        let lanes: Vec<_> = (0..row.lanes)
            .map(|n| {
                let run_lane = &run_lane;
                scope.spawn(move || run_lane(n))
            })
            .collect();
        lanes.into_iter().map(|lane| lane.join().expect("a lane ends")).collect()
    });
    Report::of(row.name, seed, row.cycles, row.bounds(), records)
}

async fn run_lane(
    row: Row,
    cycles: usize,
    design: &impl Fn(&Ground) -> Design,
    mut random: fastrand::Rng,
) -> Record {
    let fault = row.fault;
    let mut ground = Ground::start(fault).await;
    let protocol = if row.is_resp3 { "?protocol=resp3" } else { "" };
    let url = format!("{}{protocol}", ground.url(fault));
    let mut lane = Lane::start(&design(&ground), url, ground.port(fault)).await;
    lane.call(row.callers, row.pause, fault.work());
    let mut done = Vec::new();
    for _ in 0..cycles {
        let since = Instant::now();
        if !holds(PATIENCE, || lane.is_served_since(since, row.callers)).await {
            break;
        }
        // The faults come at any moment of a call and of a pause.
        sleep(Duration::from_micros(random.u64(0..30_000))).await;

        let (cycle, comes_back) = one_cycle(row, &mut ground, &lane).await;
        done.push(cycle);
        if !comes_back {
            break;
        }
    }
    lane.end(done).await
}

/// Injects the fault, heals it, and says whether Redis was used again.
pub async fn one_cycle(row: Row, ground: &mut Ground, lane: &Lane) -> (Cycle, bool) {
    let fault = row.fault;
    let told = fault.error().map(|error| lane.seen().errors(error));
    let before = Instant::now();
    fault.inject(ground, row.length).await;
    let injected = Span { before, after: Instant::now() };
    fault.last(row.length).await;
    let before = Instant::now();
    let was_real = fault.heal(ground, injected.before, row.length).await;
    let heal = Span { before, after: Instant::now() };
    let comes_back = holds(2 * (row.y + BUSY), || lane.is_served_since(heal.before, 1)).await;
    let connects = fault.is_of_the_network().then(|| Connects {
        made: ground.proxy.counts().accepted - ground.counts.accepted,
        // One at once, then one after each wait.
        most: 2 + injected.before.elapsed().as_millis() as u64 / RECONNECT.as_millis() as u64,
    });
    let was_told = fault.error().is_none_or(|error| told < Some(lane.seen().errors(error)));
    let settled = fault.settle(ground).await;
    let happened = was_real && was_told && settled;
    (Cycle { fault: injected, heal, happened, connects }, comes_back)
}
