use std::{
    mem,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use redis::{Cmd, Value};
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
    time::sleep,
};
use tower::{Service, ServiceExt};
use tower_failover::{
    circuit_breaker::{Circuit, State},
    event::{Event, History},
    fallback::Served,
};

use super::{
    BUDGET, BUSY, GRACE, PATIENCE,
    design::{Design, Stacked},
    record::{Call, Cycle, From, Record},
    sockets::connected_to,
    tap::Seen,
};

/// What callers ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Something of their own, so that an answer to somebody else is found out.
    Echo,
    Read,
    Write,
}

impl Work {
    fn command(self, caller: usize, n: u64) -> (Cmd, Option<Value>) {
        match self {
            Self::Echo => {
                let word = format!("{caller}-{n}");
                let answer = Value::BulkString(word.clone().into_bytes());
                (redis::cmd("ECHO").arg(word).clone(), Some(answer))
            }
            Self::Read => (redis::cmd("GET").arg("key").clone(), None),
            Self::Write => {
                let set = redis::cmd("SET").arg(format!("{caller}")).arg(n).clone();
                (set, Some(Value::Okay))
            }
        }
    }
}

const KEPT_TRANSITIONS: usize = 1 << 16;

/// One stack and its callers, on a runtime of their own: what is left of them is theirs.
pub struct Lane {
    runtime: Option<Runtime>,
    stack: Option<Stacked>,
    circuit: Circuit,
    history: History,
    seen: Arc<Seen>,
    fell_back: Arc<AtomicU64>,
    calls: Arc<Mutex<Vec<Call>>>,
    over: Arc<AtomicBool>,
    callers: JoinSet<()>,
    port: u16,
    sockets_before: usize,
}

impl Lane {
    /// Builds the stack; `port` is the one it connects to.
    pub async fn start(design: &Design, url: String, port: u16) -> Self {
        let sockets_before = connected_to(port);
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let history = History::new(KEPT_TRANSITIONS);
        let circuit = Circuit::builder("redis").policy(design.circuit);
        let circuit = circuit.observe(history.clone()).build();
        let (seen, fell_back) = (Arc::<Seen>::default(), Arc::<AtomicU64>::default());
        let counter = fell_back.clone();
        let observer = move |event: &Event<'_>| {
            if let Event::FellBack { .. } = event {
                counter.fetch_add(1, SeqCst);
            }
        };
        let (design, handle, tap) = (design.clone(), circuit.clone(), seen.clone());
        let build = async move { design.build(&url, handle, tap, observer).await };
        let stack = Some(runtime.spawn(build).await.expect("the stack can be built"));
        Self {
            runtime: Some(runtime),
            stack,
            circuit,
            history,
            seen,
            fell_back,
            calls: Arc::default(),
            over: Arc::default(),
            callers: JoinSet::new(),
            port,
            sockets_before,
        }
    }

    /// Lets `callers` call, each with this pause between its calls.
    pub fn call(&mut self, callers: usize, pause: Duration, work: Work) {
        self.spawn(callers, pause, false, work);
    }

    /// Lets `callers` call without a pause as long as Redis sets the pace, and with one after an
    /// answer of the fallback, which sets none.
    pub fn rush(&mut self, callers: usize, pause: Duration, work: Work) {
        self.spawn(callers, pause, true, work);
    }

    fn spawn(&mut self, callers: usize, pause: Duration, rushes: bool, work: Work) {
        let runtime = self.runtime.as_ref().expect("the lane is not over").handle().clone();
        for caller in 0..callers {
            let stack = self.stack.clone().expect("the lane is not over");
            let (calls, over) = (self.calls.clone(), self.over.clone());
            let calling = async move {
                let mut n = 0;
                while !over.load(SeqCst) {
                    n += 1;
                    let call = one_call(stack.clone(), work, caller, n).await;
                    let rests = !rushes || call.from != From::Redis;
                    calls.lock().unwrap().push(call);
                    if rests {
                        sleep(pause).await;
                    }
                }
            };
            self.callers.spawn_on(calling, &runtime);
        }
    }

    pub const fn circuit(&self) -> &Circuit {
        &self.circuit
    }

    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    pub fn stack(&self) -> Stacked {
        self.stack.clone().expect("the lane is not over")
    }

    /// Answers of the fallback by its own events.
    pub fn fell_back(&self) -> u64 {
        self.fell_back.load(SeqCst)
    }

    pub fn calls_so_far(&self) -> usize {
        self.calls.lock().unwrap().len()
    }

    /// Whether this many calls that began since then were answered by Redis, and the circuit is
    /// closed.
    pub fn is_served_since(&self, since: Instant, times: usize) -> bool {
        let calls = self.calls.lock().unwrap();
        // A call that ended lies where it ended: those before the last seconds began earlier.
        let recent = calls.iter().rev().take_while(|call| call.ended >= since);
        let served = recent.filter(|call| call.began >= since && call.from == From::Redis);
        served.take(times).count() == times && self.circuit.state() == State::Closed
    }

    /// Stops the callers, drops the stack and says what it went through.
    pub async fn end(mut self, cycles: Vec<Cycle>) -> Record {
        self.over.store(true, SeqCst);
        let returned = async { while self.callers.join_next().await.is_some() {} };
        let longest = 2 * (BUDGET + GRACE + BUSY) + Duration::from_secs(1);
        let _ = tokio::time::timeout(longest, returned).await;
        let hanging = self.callers.len();
        self.callers.abort_all();
        let sockets_in_use = connected_to(self.port).saturating_sub(self.sockets_before);
        drop(self.stack.take());
        let runtime = self.runtime.take().expect("a lane ends once");
        let metrics = runtime.metrics();
        let sockets = || connected_to(self.port).saturating_sub(self.sockets_before);
        holds(PATIENCE / 4, || metrics.num_alive_tasks() == 0 && sockets() == 0).await;
        let (tasks_left, sockets_left) = (metrics.num_alive_tasks(), sockets());
        runtime.shutdown_background();
        let transitions = self.history.transitions();
        Record {
            calls: mem::take(&mut self.calls.lock().unwrap()),
            cycles,
            transitions_lost: transitions.len() >= KEPT_TRANSITIONS,
            transitions,
            fell_back: self.fell_back.load(SeqCst),
            most_probing: self.seen.most_probing(),
            probes: self.seen.probes(),
            errors: self.seen.all_errors(),
            hanging,
            tasks_left,
            sockets_left,
            sockets_in_use,
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn one_call(mut stack: Stacked, work: Work, caller: usize, n: u64) -> Call {
    let (command, right) = work.command(caller, n);
    let began = Instant::now();
    let result = match stack.ready().await {
        Ok(stack) => stack.call(command).await,
        Err(error) => Err(error),
    };
    let ended = Instant::now();
    let from = |served: &Served<Value>| match served.is_fallback() {
        true => From::Fallback,
        false => From::Redis,
    };
    let is_wrong = matches!((&result, &right),
        (Ok(served), Some(right)) if !served.is_fallback() && served.value() != right);
    let from = result.as_ref().map_or_else(|error| From::Nobody(error.to_string()), from);
    Call { began, ended, from, is_wrong }
}

/// Waits until the condition holds, and says whether it does within this time.
pub async fn holds(within: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while !condition() {
        if begun.elapsed() > within {
            return false;
        }
        sleep(Duration::from_millis(1)).await;
    }
    true
}
