use std::{
    mem,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::{
    runtime::{Builder, Runtime},
    task::{JoinHandle, JoinSet},
    time::sleep,
};
use tower_failover::{
    circuit_breaker::{Circuit, State},
    event::History,
};

use crate::{
    BUSY, Fault,
    call::{Call, PATIENCE, call},
    fault::Ground,
    page::{Key, Kind},
    record::{Cycle, Record, Rest, Span},
    report::Report,
    sockets::connected_to,
    stack::{CIRCUIT, PLACES, SOFT, Stack, Stacked, stack},
    support::{Accept, Direction, Flow, Scope},
};

/// How long a row waits for what ought to happen much sooner.
const LONG: Duration = Duration::from_secs(10);
/// The pause of a caller between his calls.
const PAUSE: Duration = Duration::from_millis(8);
const KEPT_TRANSITIONS: usize = 1 << 14;
/// Whole pages are no longer fresh after this.
const FRESH: Duration = Duration::from_millis(1_100);
/// Callers who always ask for the same page, so that they wait for each other; the others ask for
/// any.
const FIXED: [Option<Kind>; 6] =
    [Some(Kind::Stale), Some(Kind::Stale), Some(Kind::Must), Some(Kind::Must), None, None];

/// Runs this fault so often in each of several stacks.
pub(crate) fn run(fault: Fault, lanes: u64, cycles: usize) -> Report {
    let seed = fastrand::u64(..);
    let run_lane = |lane: u64| {
        let random = fastrand::Rng::with_seed(seed.wrapping_add(lane));
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run_lane(fault, cycles, random))
    };
    let records = thread::scope(|scope| {
        let lane = |n| {
            let run_lane = &run_lane;
            scope.spawn(move || run_lane(n))
        };
        let lanes: Vec<_> = (0..lanes).map(lane).collect();
        lanes.into_iter().map(|lane| lane.join().expect("a lane ends")).collect()
    });
    Report::of(fault, seed, lanes as usize * cycles, records)
}

async fn run_lane(fault: Fault, cycles: usize, mut random: fastrand::Rng) -> Record {
    let mut ground = Ground::start();
    let mut lane = Lane::start(ground.proxy.port()).await;
    let before = lane.rest(&ground, None).await;
    lane.call(&mut random);
    let mut done = Vec::new();
    for _ in 0..cycles {
        if !lane.is_served_within(LONG).await {
            break;
        }
        // The faults come at any moment of a call and of a pause.
        sleep(Duration::from_micros(random.u64(0..30_000))).await;
        done.push(cycle(fault, &mut ground).await);
    }
    let is_served = lane.is_served_within(LONG).await;
    lane.stop().await;
    let settled = lane.circuit.snapshot();
    let transitions = lane.history.transitions();
    let after = lane.rest(&ground, Some(&before)).await;
    let transitions_at_rest = lane.history.transitions().len() - transitions.len();
    let (late, reloaded) = lane.loads_in_the_background(&ground).await;
    let (tasks_left, sockets_left, hanging) = lane.end().await;
    Record {
        calls: mem::take(&mut *lane.calls.lock().unwrap()),
        cycles: done,
        transitions,
        transitions_at_rest,
        is_settled: is_served && settled.state == State::Closed && settled.probes_in_flight == 0,
        before,
        after,
        late,
        reloaded,
        tasks_left,
        sockets_left,
        hanging,
    }
}

async fn cycle(fault: Fault, ground: &mut Ground) -> Cycle {
    let before = Instant::now();
    let has_begun = fault.inject(ground).await;
    let injected = Span { before, after: Instant::now() };
    sleep(fault.length()).await;
    let before = Instant::now();
    let was_real = fault.heal(ground).await;
    let heal = Span { before, after: Instant::now() };
    Cycle { fault: injected, heal, happened: has_begun && was_real }
}

/// One stack and its callers, on a runtime of their own: what is left of them is theirs.
struct Lane {
    runtime: Option<Runtime>,
    stacked: Option<Stacked>,
    circuit: Circuit,
    history: History,
    calls: Arc<Mutex<Vec<Call>>>,
    over: Arc<AtomicBool>,
    callers: JoinSet<()>,
    port: u16,
}

impl Lane {
    async fn start(port: u16) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let history = History::new(KEPT_TRANSITIONS);
        let circuit = Circuit::builder("origin").policy(CIRCUIT).observe(history.clone()).build();
        let handle = circuit.clone();
        let stacked = runtime.spawn(async { stack(handle) }).await.unwrap();
        Self {
            runtime: Some(runtime),
            stacked: Some(stacked),
            circuit,
            history,
            calls: Arc::default(),
            over: Arc::default(),
            callers: JoinSet::new(),
            port,
        }
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("the lane is not over")
    }

    fn stacked(&self) -> &Stacked {
        self.stacked.as_ref().expect("the lane is not over")
    }

    fn stack(&self) -> Stack {
        self.stacked().stack.clone()
    }

    fn call(&mut self, random: &mut fastrand::Rng) {
        for fixed in FIXED {
            let (stack, port, mut random) = (self.stack(), self.port, random.fork());
            let (calls, over) = (self.calls.clone(), self.over.clone());
            let handle = self.runtime().handle().clone();
            let calling = async move {
                while !over.load(SeqCst) {
                    let key = match fixed {
                        Some(kind) => Key { kind, number: 0, user: 0 },
                        None => Key::any(&mut random),
                    };
                    let call = call(stack.clone(), port, key).await;
                    calls.lock().unwrap().push(call);
                    sleep(PAUSE).await;
                }
            };
            self.callers.spawn_on(calling, &handle);
        }
    }

    /// Whether the origin answers again, on a closed circuit.
    async fn is_served_within(&self, within: Duration) -> bool {
        let since = Instant::now();
        let is_recent = |call: &&Call| call.ended >= since;
        holds(within, || {
            let calls = self.calls.lock().unwrap();
            let recent = calls.iter().rev().take_while(is_recent);
            let mut recent =
                recent.filter(|call| call.began >= since && call.key.kind.is_covered());
            recent.any(Call::is_primary) && self.circuit.state() == State::Closed
        })
        .await
    }

    async fn stop(&mut self) {
        self.over.store(true, SeqCst);
        let returned = async { while self.callers.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(PATIENCE + BUSY + Duration::from_secs(6), returned).await;
    }

    fn sockets(&self) -> usize {
        connected_to(self.port)
    }

    /// Asks for every page once, on a network in order, and looks at what is there once that is
    /// over: as much as `before`, if it is no more.
    async fn rest(&self, ground: &Ground, before: Option<&Rest>) -> Rest {
        sleep(FRESH).await;
        let mut calls = Vec::new();
        for key in Key::all() {
            calls.push(self.ask(key).await.unwrap());
        }
        // Only pages that stay for long are left: the number of the others hangs on the second in
        // which they came.
        sleep(FRESH).await;
        let cache = &self.stacked().cache;
        cache.sweep();
        let metrics = self.runtime().metrics();
        let most = before.map_or(usize::MAX, |before| before.tasks);
        let is_idle = || ground.proxy.established() == 0 && metrics.num_alive_tasks() <= most;
        // To count sockets takes so long that it is done last.
        holds(LONG, || is_idle() && self.sockets() == 0).await;
        if before.is_none() {
            sleep(SOFT).await;
        }
        Rest {
            calls,
            tasks: metrics.num_alive_tasks(),
            sockets: self.sockets(),
            loads: self.stacked().loads(),
            entries: cache.len(),
            weight: cache.weight(),
        }
    }

    /// Takes all the places for work in the background, and sees that each did its work. Says how
    /// many callers did not wait for it, and how many pages are newer.
    ///
    /// A round in which calls failed shows nothing: the machine was too busy for them. A call that
    /// is dropped, since there is no place for it, is no failure.
    async fn loads_in_the_background(&self, ground: &Ground) -> (usize, usize) {
        let begun = Instant::now();
        let failed = || self.stacked().failed.load(SeqCst);
        let mut late = Vec::new();
        while begun.elapsed() < LONG {
            let before = failed();
            late = self.round_of_late_calls(ground).await;
            if failed() == before {
                break;
            }
            let alone = Key { kind: Kind::Alone, number: 0, user: 0 };
            while begun.elapsed() < LONG && !self.ask(alone).await.unwrap().is_primary() {}
        }
        // Now it is seen what is kept.
        ground.proxy.accept(Accept::Refuse).await;
        let mut reloaded = 0;
        for late in &late {
            let kept = self.ask(late.key).await.unwrap();
            let serial = |call: &Call| call.answer().map(|answer| answer.serial);
            reloaded += usize::from(!late.is_stale() || serial(&kept) > serial(late));
        }
        (late.iter().filter(|call| call.is_stale()).count(), reloaded)
    }

    /// Asks for as many pages as there are places; the answers are held until nobody waits.
    async fn round_of_late_calls(&self, ground: &Ground) -> Vec<Call> {
        let keys = || Key::all().filter(|key| key.kind == Kind::Stale);
        assert_eq!(keys().count(), PLACES);
        let held = || ground.proxy.counts().held;
        let before = held();
        ground.proxy.set(Direction::ToClient, Flow::Hold, Scope::All);
        let asked: Vec<_> = keys().map(|key| self.ask(key)).collect();
        let mut calls = Vec::new();
        for asked in asked {
            calls.push(asked.await.unwrap());
        }
        holds(LONG, || held() >= before + PLACES as u64).await;
        ground.proxy.set(Direction::ToClient, Flow::Pass, Scope::All);
        holds(LONG, || ground.proxy.established() == 0).await;
        calls
    }

    fn ask(&self, key: Key) -> JoinHandle<Call> {
        self.runtime().spawn(call(self.stack(), self.port, key))
    }

    /// Drops the stack, and says which tasks, sockets and callers are left.
    async fn end(&mut self) -> (usize, usize, usize) {
        let hanging = self.callers.len();
        self.callers.abort_all();
        self.stacked = None;
        let runtime = self.runtime.take().expect("a lane ends once");
        let metrics = runtime.metrics();
        holds(LONG, || metrics.num_alive_tasks() == 0 && self.sockets() == 0).await;
        let left = (metrics.num_alive_tasks(), self.sockets(), hanging);
        runtime.shutdown_background();
        left
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Waits until the condition holds, and says whether it does within this time.
async fn holds(within: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while !condition() {
        if begun.elapsed() > within {
            return false;
        }
        sleep(Duration::from_millis(2)).await;
    }
    true
}
