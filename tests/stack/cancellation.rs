//! Calls that are given up at every await point, and panics in everything that is not ours.
//!
//! The stack is the whole one over a service without a server, polled by hand on a clock that stands.

use std::{
    collections::BTreeMap,
    io::Write,
    mem::ManuallyDrop,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures::future::BoxFuture;
use tokio::runtime::Builder;
use tower::{Service, ServiceBuilder, util::BoxCloneSyncService};
use tower_failover::{
    Backoff, BoxError, CircuitBreakerLayer, FallbackLayer, Outcome,
    circuit_breaker::{Circuit, Policy, State},
    event::Event,
    fallback::{self, Served, Source},
};

const RANDOM: usize = 100_000;
const OPEN_FOR: Duration = Duration::from_secs(1);
/// A probe that loses its place would be missed for as long, and the clock never gets there.
const PROBE_DEADLINE: Duration = Duration::from_secs(1_000_000_000);
const TRIP: u32 = 2;
/// Polls after which every future here is done.
const DONE: usize = 32;

/// How something ends after some polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Well,
    Badly,
    InPanic,
}

const ENDS: [End; 3] = [End::Well, End::Badly, End::InPanic];

/// One call: what is done to it, and what the parts of the stack do in it.
#[derive(Clone, Copy, Debug)]
struct Scene {
    is_probe: bool,
    /// Polls after which the caller goes away.
    cancelled_after: usize,
    ready: (usize, End),
    call_panics: bool,
    answer: (usize, End),
    strategy: (usize, End),
    classifier_panics: bool,
    observer_panics: bool,
}

impl Scene {
    const FINE: Self = Self {
        is_probe: false,
        cancelled_after: usize::MAX,
        ready: (0, End::Well),
        call_panics: false,
        answer: (0, End::Well),
        strategy: (0, End::Well),
        classifier_panics: false,
        observer_panics: false,
    };

    fn random(random: &mut fastrand::Rng) -> Self {
        let mut part = || (random.usize(0..4), ENDS[random.usize(0..3)]);
        let (ready, answer, strategy) = (part(), part(), part());
        Self {
            is_probe: random.bool(),
            cancelled_after: if random.u8(0..4) == 0 { usize::MAX } else { random.usize(0..10) },
            ready: if random.bool() { (ready.0, End::Well) } else { ready },
            call_panics: random.u8(0..8) == 0,
            answer,
            strategy,
            classifier_panics: random.u8(0..8) == 0,
            observer_panics: random.bool(),
        }
    }
}

type Stage = Arc<Mutex<Scene>>;

/// Not `panic!`: the hook would print a hundred thousand of them.
fn panics() -> ! {
    resume_unwind(Box::new("seeded"))
}

fn scene(stage: &Stage) -> Scene {
    *stage.lock().unwrap()
}

/// Counts down its polls, then ends.
async fn part((polls, end): (usize, End), alive: Arc<()>) -> Result<u32, BoxError> {
    let mut left = polls;
    std::future::poll_fn(|_| match left {
        0 => Poll::Ready(()),
        _ => {
            left -= 1;
            Poll::Pending
        }
    })
    .await;
    drop(alive);
    match end {
        End::Well => Ok(1),
        End::Badly => Err("seeded".into()),
        End::InPanic => panics(),
    }
}

/// The backend.
#[derive(Clone)]
struct Inner {
    stage: Stage,
    alive: Arc<()>,
    ready_polls: usize,
}

impl Service<u32> for Inner {
    type Response = u32;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<u32, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let (polls, end) = scene(&self.stage).ready;
        if self.ready_polls < polls {
            self.ready_polls += 1;
            return Poll::Pending;
        }
        self.ready_polls = 0;
        match end {
            End::Well => Poll::Ready(Ok(())),
            End::Badly => Poll::Ready(Err("seeded".into())),
            End::InPanic => panics(),
        }
    }

    fn call(&mut self, _: u32) -> Self::Future {
        let scene = scene(&self.stage);
        if scene.call_panics {
            panics();
        }
        Box::pin(part(scene.answer, self.alive.clone()))
    }
}

/// The seeded bug: a breaker whose permit is lost with a call that does not end.
#[derive(Clone)]
struct Forgetful {
    inner: Inner,
    circuit: Circuit,
}

impl Service<u32> for Forgetful {
    type Response = u32;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<u32, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: u32) -> Self::Future {
        let permit = match self.circuit.permit() {
            Ok(permit) => ManuallyDrop::new(permit),
            Err(open) => return Box::pin(async { Err(open.into()) }),
        };
        let call = self.inner.call(request);
        Box::pin(async move {
            let result = call.await;
            let permit = ManuallyDrop::into_inner(permit);
            if result.is_ok() {
                permit.success()
            } else {
                permit.failure()
            }
            result
        })
    }
}

type Stacked = BoxCloneSyncService<u32, Served<u32>, BoxError>;

struct Theatre {
    stage: Stage,
    alive: Arc<()>,
    /// Its holders while nothing is called: services and strategies.
    idle: usize,
    circuit: Circuit,
    stacks: [Stacked; 2],
    happened: BTreeMap<String, u64>,
    broken: Vec<String>,
}

impl Theatre {
    fn open(forgetful: bool) -> Self {
        let (stage, alive) = (Arc::new(Mutex::new(Scene::FINE)), Arc::new(()));
        let observer = |stage: Stage| {
            move |_: &Event<'_>| {
                if scene(&stage).observer_panics {
                    panics();
                }
            }
        };
        let policy = Policy::consecutive(TRIP)
            .open_for(Backoff::fixed(OPEN_FOR))
            .probe_deadline(PROBE_DEADLINE);
        let circuit =
            Circuit::builder("mock").policy(policy).observe(observer(stage.clone())).build();
        let inner = Inner { stage: stage.clone(), alive: alive.clone(), ready_polls: 0 };
        let breaker = if forgetful {
            BoxCloneSyncService::new(Forgetful { inner, circuit: circuit.clone() })
        } else {
            let judge = judge(&stage);
            let layer = CircuitBreakerLayer::new(circuit.clone())
                .classify(move |result: &Result<u32, BoxError>| judge(result));
            BoxCloneSyncService::new(ServiceBuilder::new().layer(layer).service(inner))
        };
        let strategy = {
            let (stage, alive) = (stage.clone(), alive.clone());
            fallback::from_async_fn(move |_: &Result<u32, BoxError>| {
                part(scene(&stage).strategy, alive.clone())
            })
        };
        let layer = FallbackLayer::new(strategy).classify(judge(&stage)).served();
        let layer = layer.observe(observer(stage.clone()));
        let bounded = layer.clone().inner_within(PROBE_DEADLINE / 2);
        let stacks = [
            BoxCloneSyncService::new(ServiceBuilder::new().layer(layer).service(breaker.clone())),
            BoxCloneSyncService::new(ServiceBuilder::new().layer(bounded).service(breaker)),
        ];
        let (happened, broken) = (BTreeMap::new(), Vec::new());
        let idle = Arc::strong_count(&alive);
        Self { stage, alive, idle, circuit, stacks, happened, broken }
    }

    /// Plays a scene on a clone of each stack, and sees afterwards that all is as before.
    async fn play(&mut self, scene: Scene) {
        for bounded in 0..self.stacks.len() {
            if scene.is_probe {
                for _ in 0..TRIP {
                    if let Ok(permit) = self.circuit.permit() {
                        permit.failure();
                    }
                }
                tokio::time::advance(OPEN_FOR).await;
            }
            *self.stage.lock().unwrap() = scene;
            let end = drive(self.stacks[bounded].clone(), scene.cancelled_after);
            let probe = if scene.is_probe { " as a probe" } else { "" };
            *self.happened.entry(format!("{end}{probe}")).or_default() += 1;
            *self.stage.lock().unwrap() = Scene::FINE;
            self.inspect(bounded, scene).await;
        }
    }

    async fn inspect(&mut self, bounded: usize, scene: Scene) {
        let left = Arc::strong_count(&self.alive) - self.idle;
        let probes = self.circuit.snapshot().probes_in_flight;
        if self.circuit.state() == State::Open {
            tokio::time::advance(OPEN_FOR).await;
        }
        let works = self.answers(bounded) && self.circuit.state() == State::Closed;
        if left > 0 || probes > 0 || !works {
            self.broken.push(format!("{left} alive, {probes} probes, works: {works}: {scene:?}"));
            self.circuit.reset();
        }
    }

    fn answers(&self, bounded: usize) -> bool {
        drive(self.stacks[bounded].clone(), usize::MAX) == "answered by primary"
    }
}

fn judge(
    stage: &Stage,
) -> impl Fn(&Result<u32, BoxError>) -> Outcome + Clone + Send + Sync + use<> {
    let stage = stage.clone();
    move |result| {
        if scene(&stage).classifier_panics {
            panics();
        }
        if result.is_ok() { Outcome::Success } else { Outcome::Failure }
    }
}

/// Polls a call by hand, and gives it up after so many polls.
fn drive(mut stack: Stacked, cancelled_after: usize) -> String {
    let mut polls = 0;
    let mut poll = |what: &str, poll: &mut dyn FnMut(&mut Context<'_>) -> Poll<String>| loop {
        if polls == cancelled_after {
            return Some(format!("cancelled in {what} after {polls} polls"));
        }
        polls += 1;
        assert!(polls < DONE, "the call hangs in {what}");
        let mut cx = Context::from_waker(Waker::noop());
        match catch_unwind(AssertUnwindSafe(|| poll(&mut cx))) {
            Ok(Poll::Pending) => {}
            Ok(Poll::Ready(end)) if end.is_empty() => return None,
            Ok(Poll::Ready(end)) => return Some(end),
            Err(_) => return Some(format!("panicked in {what} at poll {polls}")),
        }
    };
    let ready = &mut |cx: &mut Context<'_>| {
        stack.poll_ready(cx).map(|ready| ready.map_or("refused".into(), |()| String::new()))
    };
    if let Some(end) = poll("ready", ready) {
        return end;
    }
    let Ok(mut call) = catch_unwind(AssertUnwindSafe(|| stack.call(1))) else {
        return "panicked in call".into();
    };
    let answer = &mut |cx: &mut Context<'_>| {
        call.as_mut().poll(cx).map(|answer| match answer {
            Ok(served) if served.source() == Source::Primary => "answered by primary".into(),
            Ok(_) => "answered by fallback".into(),
            Err(_) => "failed".into(),
        })
    };
    poll("answer", answer).expect("an answer says something")
}

/// Every poll index of every scene with few polls.
async fn everything(theatre: &mut Theatre) -> usize {
    let mut scenes = Vec::new();
    for is_probe in [false, true] {
        for ready in [(0, End::Well), (2, End::Well), (1, End::Badly), (1, End::InPanic)] {
            for answer in ENDS.into_iter().flat_map(|end| (0..3).map(move |n| (n, end))) {
                for strategy in ENDS.into_iter().flat_map(|end| (0..2).map(move |n| (n, end))) {
                    let scene = Scene { is_probe, ready, answer, strategy, ..Scene::FINE };
                    scenes.push(scene);
                    scenes.push(Scene { classifier_panics: true, ..scene });
                    scenes.push(Scene { observer_panics: true, ..scene });
                    scenes.push(Scene { call_panics: true, ..scene });
                }
            }
        }
    }
    let mut played = 0;
    for scene in scenes {
        for cancelled_after in (0..8).chain([usize::MAX]) {
            theatre.play(Scene { cancelled_after, ..scene }).await;
            played += 1;
        }
    }
    played
}

fn run<T>(theatre: &mut Theatre, play: impl AsyncFnOnce(&mut Theatre) -> T) -> T {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let done = runtime.block_on(play(theatre));
    assert_eq!(runtime.metrics().num_alive_tasks(), 0);
    done
}

/// Prints what happened, by where it ended.
fn report(name: &str, played: usize, seed: u64, theatre: &Theatre) {
    let mut ends = BTreeMap::<&str, u64>::new();
    for (end, n) in &theatre.happened {
        let kind = end.split(" after").next().unwrap_or(end);
        *ends.entry(kind.split(" at").next().unwrap_or(kind)).or_default() += n;
    }
    let broken = theatre.broken.len();
    let _ = writeln!(
        std::io::stdout(),
        "row={name} scenes={played} broken={broken} seed={seed} ends={ends:?}"
    );
}

#[track_caller]
fn holds(theatre: &Theatre) {
    assert!(theatre.broken.is_empty(), "{} broken: {}", theatre.broken.len(), theatre.broken[0]);
    let kinds = [
        "cancelled in ready",
        "cancelled in answer",
        "panicked in ready",
        "panicked in call",
        "panicked in answer",
        "failed",
        "answered by fallback",
        "answered by primary",
    ];
    for kind in kinds {
        for probe in [false, true] {
            let ends = theatre.happened.keys().filter(|end| end.starts_with(kind));
            let n = ends.filter(|end| end.ends_with(" as a probe") == probe).count();
            assert!(n > 0, "never {kind}, as a probe: {probe}");
        }
    }
}

#[test]
fn a_call_given_up_or_a_panic_at_every_poll_leaves_nothing_behind() {
    let mut theatre = Theatre::open(false);
    let played = run(&mut theatre, everything);
    report("every poll", played, 0, &theatre);
    holds(&theatre);
}

#[test]
fn a_hundred_thousand_calls_given_up_and_panics_leave_nothing_behind() {
    let seed = fastrand::u64(..);
    let mut theatre = Theatre::open(false);
    run(&mut theatre, async |theatre: &mut Theatre| {
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..RANDOM {
            theatre.play(Scene::random(&mut random)).await;
        }
    });
    report("random", RANDOM, seed, &theatre);
    holds(&theatre);
}

#[test]
fn a_call_given_up_or_a_panic_twin() {
    let mut theatre = Theatre::open(true);
    let played = run(&mut theatre, everything);
    report("every poll twin", played, 0, &theatre);
    assert!(!theatre.broken.is_empty(), "a lost permit is found out");
}
