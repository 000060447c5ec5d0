//! Long random runs: no probe slot is ever lost, and the books balance.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests spawn openly, fail by panicking also on states that must not be, and measure in \
              real time"
)]

use std::{
    collections::HashMap,
    env,
    future::poll_fn,
    mem,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant, SystemTime},
};

use fastrand::Rng;
use tower::{Layer, Service, ServiceExt};
use tower_failover::{
    Backoff, BoxError,
    circuit_breaker::{
        Cancelled, Circuit, CircuitBreaker, CircuitBreakerLayer, Open, Permit, Policy, State,
    },
    event::{Event, History},
};

const SECOND: Duration = Duration::from_secs(1);
const PROBES: u32 = 3;
const PROBE_DEADLINE: Duration = Duration::from_secs(3_600);
const CANCELLATIONS: usize = 100_000;
/// As many leaks, of one probe in a thousand, the twin must notice.
const LEAKS: usize = 20;

/// The seed of this run: `SOAK_SEED`, or from the clock.
fn seed() -> u64 {
    let clock = || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let seed = env::var("SOAK_SEED").map_or_else(|_| clock(), |seed| seed.parse().unwrap());
    println!("SOAK_SEED={seed}");
    seed
}

/// Takes some polls to be ready and some to answer; how many, and what, is drawn for each call.
#[derive(Clone)]
struct Erratic {
    plan: Plan,
    called: Arc<AtomicUsize>,
}

#[derive(Clone, Copy)]
struct Plan {
    polls_to_ready: u8,
    polls_to_answer: u8,
    good: bool,
}

impl Plan {
    fn draw(rng: &mut Rng, good: bool) -> Self {
        Self { polls_to_ready: rng.u8(0..3), polls_to_answer: rng.u8(1..5), good }
    }
}

impl Service<()> for Erratic {
    type Response = ();
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        count_down(&mut self.plan.polls_to_ready, cx).map(Ok)
    }

    fn call(&mut self, (): ()) -> Self::Future {
        self.called.fetch_add(1, SeqCst);
        let Plan { mut polls_to_answer, good, .. } = self.plan;
        Box::pin(async move {
            poll_fn(|cx| count_down(&mut polls_to_answer, cx)).await;
            if good { Ok(()) } else { Err("down".into()) }
        })
    }
}

fn count_down(polls: &mut u8, cx: &mut Context<'_>) -> Poll<()> {
    if *polls == 0 {
        return Poll::Ready(());
    }
    *polls -= 1;
    cx.waker().wake_by_ref();
    Poll::Pending
}

#[derive(Debug, Default)]
struct Report {
    /// In half-open, by where they were cancelled.
    before_first_poll: usize,
    in_readiness: usize,
    in_flight: usize,
    /// Probes that ran to their end.
    ended: usize,
    probes: usize,
    refused: usize,
    opened: usize,
    half_opened: usize,
    closed: usize,
    leaked: usize,
    checks: usize,
    /// How often a check found fewer slots than there should be.
    short: usize,
}

impl Report {
    fn cancelled(&self) -> usize {
        self.before_first_poll + self.in_readiness + self.in_flight
    }

    fn assert_something_of_everything_happened(&self) {
        let Self { before_first_poll, in_readiness, in_flight, .. } = self;
        for (what, count) in [
            ("cancelled before the first poll", *before_first_poll),
            ("cancelled in readiness", *in_readiness),
            ("cancelled in flight", *in_flight),
            ("probes that ended", self.ended),
            ("probes", self.probes),
            ("refused", self.refused),
            ("opened", self.opened),
            ("half-opened", self.half_opened),
            ("closed", self.closed),
            ("checks", self.checks),
        ] {
            assert!(count > 0, "{what}: {self:?}");
        }
    }
}

type Attempt = Pin<Box<dyn Future<Output = Result<(), BoxError>>>>;

/// A call under way, and whether it holds a probe slot by now.
struct Running {
    attempt: Attempt,
    called: Arc<AtomicUsize>,
    polled: bool,
}

impl Running {
    fn is_in_flight(&self) -> bool {
        self.called.load(SeqCst) > 0
    }
}

struct Soak {
    rng: Rng,
    circuit: Circuit,
    transitions: Arc<[AtomicUsize; 3]>,
    report: Report,
    /// One of so many cancelled probes is leaked instead.
    leak_one_of: Option<usize>,
}

impl Soak {
    fn new(seed: u64, leak_one_of: Option<usize>) -> Self {
        let transitions = Arc::new([const { AtomicUsize::new(0) }; 3]);
        let counts = transitions.clone();
        let circuit = Circuit::builder("soak")
            .policy(Self::policy(Cancelled::Ignored))
            .observe(move |event: &Event<'_>| {
                if let Event::Transition(transition) = event {
                    let place = match transition.to() {
                        State::Open => 0,
                        State::HalfOpen => 1,
                        State::Closed => 2,
                        other => panic!("nobody forced it: {other}"),
                    };
                    counts[place].fetch_add(1, SeqCst);
                }
            })
            .build();
        let rng = Rng::with_seed(seed);
        Self { rng, circuit, transitions, report: Report::default(), leak_one_of }
    }

    fn policy(cancelled: Cancelled) -> Policy {
        Policy::consecutive(2)
            .open_for(Backoff::fixed(SECOND))
            .probes(PROBES)
            .probe_deadline(PROBE_DEADLINE)
            .successes_to_close(2)
            .cancelled(cancelled)
    }

    async fn run(mut self) -> (Report, Circuit) {
        while self.report.cancelled() < CANCELLATIONS {
            match self.circuit.state() {
                State::Closed => {
                    // Mostly bad, so that it opens soon.
                    let good = self.rng.u8(..) < 64;
                    let mut service = self.service(good);
                    let _ = service.ready().await.unwrap().call(()).await;
                }
                State::Open => {
                    tokio::time::advance(SECOND).await;
                    let cancelled = match self.rng.u8(..) < 8 {
                        true => Cancelled::Failure,
                        false => Cancelled::Ignored,
                    };
                    self.circuit.set_policy(Self::policy(cancelled)).unwrap();
                    self.half_open();
                }
                State::HalfOpen => self.half_open(),
                other => panic!("nobody forced it: {other}"),
            }
            if self.report.leaked >= LEAKS {
                break;
            }
        }
        let [opened, half_opened, closed] = self.transitions.each_ref().map(|n| n.load(SeqCst));
        self.report = Report { opened, half_opened, closed, ..self.report };
        (self.report, self.circuit)
    }

    fn service(&mut self, good: bool) -> CircuitBreaker<Erratic> {
        let plan = Plan::draw(&mut self.rng, good);
        CircuitBreaker::new(Erratic { plan, called: Arc::default() }, self.circuit.clone())
    }

    /// Some calls at once, polled in random order, each cancelled at a random point or let end.
    fn half_open(&mut self) {
        let good = self.rng.u8(..) < 128;
        let count = self.rng.usize(1..=PROBES as usize + 2);
        let mut running: Vec<_> = (0..count)
            .map(|_| {
                let service = self.service(good);
                let called = service.get_ref().called.clone();
                Running { attempt: Box::pin(service.oneshot(())), called, polled: false }
            })
            .collect();
        let mut cx = Context::from_waker(Waker::noop());
        while !running.is_empty() {
            let chosen = self.rng.usize(..running.len());
            if self.rng.u8(..) < 64 {
                let chosen = running.swap_remove(chosen);
                self.cancel(chosen);
                continue;
            }
            running[chosen].polled = true;
            let in_flight_before = running[chosen].is_in_flight();
            let Poll::Ready(answer) = running[chosen].attempt.as_mut().poll(&mut cx) else {
                let admitted = !in_flight_before && running[chosen].is_in_flight();
                self.report.probes += usize::from(admitted);
                let probes = running.iter().filter(|running| running.is_in_flight()).count();
                let snapshot = self.circuit.snapshot();
                if snapshot.state == State::HalfOpen && self.leak_one_of.is_none() {
                    assert!(probes <= PROBES as usize && snapshot.probes_in_flight <= probes);
                }
                continue;
            };
            running.swap_remove(chosen);
            match answer {
                Err(error) if error.is::<Open>() => self.report.refused += 1,
                Ok(()) | Err(_) => self.report.ended += 1,
            }
        }
        self.check_slots();
    }

    fn cancel(&mut self, running: Running) {
        if self.circuit.state() == State::HalfOpen {
            if running.is_in_flight() {
                self.report.in_flight += 1;
                if self.leak_one_of.is_some_and(|n| self.rng.usize(..n) == 0) {
                    self.report.leaked += 1;
                    mem::forget(running);
                    return;
                }
            } else if running.polled {
                self.report.in_readiness += 1;
            } else {
                self.report.before_first_poll += 1;
            }
        }
        drop(running);
    }

    /// Nothing is under way: every slot is free.
    fn check_slots(&mut self) {
        if self.circuit.state() == State::HalfOpen {
            self.report.checks += 1;
            self.report.short += usize::from(free_slots(&self.circuit) < PROBES as usize);
        }
    }
}

/// How many probes a half-open circuit would admit now.
fn free_slots(circuit: &Circuit) -> usize {
    let probes: Vec<_> = std::iter::from_fn(|| circuit.permit().ok()).take(100).collect();
    assert!(probes.iter().all(Permit::is_probe));
    let free = probes.len();
    probes.into_iter().for_each(Permit::ignore);
    free
}

/// Opens the circuit, if it is not open, and waits until it is half-open with no probe out.
async fn half_open_anew(circuit: &Circuit) {
    while circuit.state() != State::Open {
        match circuit.permit() {
            Ok(permit) => permit.failure(),
            Err(open) => tokio::time::advance(open.retry_after().unwrap()).await,
        }
    }
    tokio::time::advance(SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn promise_4_100_000_random_cancellations_in_half_open_lose_no_slot() {
    let (report, circuit) = Soak::new(seed(), None).run().await;
    println!("cancelled={} {report:?}", report.cancelled());
    assert!(report.cancelled() >= CANCELLATIONS);
    report.assert_something_of_everything_happened();
    assert_eq!(report.short, 0);
    half_open_anew(&circuit).await;
    assert_eq!(free_slots(&circuit), PROBES as usize);
}

#[tokio::test(start_paused = true)]
async fn promise_4_twin_leaked_probes_are_seen_and_recovered_from_at_their_deadline() {
    let (report, circuit) = Soak::new(seed(), Some(1_000)).run().await;
    println!("twin: cancelled={} {report:?}", report.cancelled());
    assert_eq!(report.leaked, LEAKS);
    assert!(report.short > 0, "a leak that nobody sees: {report:?}");

    half_open_anew(&circuit).await;
    let leaked: Vec<_> = (0..PROBES).map(|_| circuit.permit().unwrap()).collect();
    leaked.into_iter().for_each(mem::forget);
    assert_eq!(free_slots(&circuit), 0, "all slots are lost");
    tokio::time::advance(PROBE_DEADLINE).await;
    assert_eq!(circuit.state(), State::Open);
    tokio::time::advance(SECOND).await;
    assert_eq!(free_slots(&circuit), PROBES as usize);
}

const TASKS: u64 = 16;

#[derive(Default)]
struct Books {
    calls: AtomicU64,
    admitted: AtomicU64,
    refused: AtomicU64,
    cancelled: AtomicU64,
    inner: AtomicU64,
    known_open: AtomicU64,
    flips: AtomicU64,
}

#[derive(Clone)]
struct Flipping {
    books: Arc<Books>,
    good: Arc<AtomicBool>,
}

impl Service<u8> for Flipping {
    type Response = ();
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut polls: u8) -> Self::Future {
        self.books.inner.fetch_add(1, SeqCst);
        let good = self.good.clone();
        Box::pin(async move {
            poll_fn(|cx| count_down(&mut polls, cx)).await;
            if good.load(SeqCst) { Ok(()) } else { Err("down".into()) }
        })
    }
}

/// One caller among many.
async fn caller(mut service: CircuitBreaker<Flipping>, mut rng: Rng, requests: u64) {
    let books = service.get_ref().books.clone();
    let circuit = service.guard().clone();
    let good = service.get_ref().good.clone();
    for n in 0..requests {
        if rng.u32(..2_000) == 0 {
            good.store(rng.bool(), SeqCst);
            books.flips.fetch_add(1, SeqCst);
        }
        books.calls.fetch_add(1, SeqCst);
        // Nobody forces this circuit, so an open one lets nobody through before its time.
        let before = Instant::now();
        let closed_until = match n % 4 == 0 {
            true => Some(circuit.snapshot()).filter(|snapshot| snapshot.state == State::Open),
            false => None,
        };
        let closed_until = closed_until.and_then(|snapshot| snapshot.retry_after);
        let polls = rng.u8(..4);
        let mut call = service.ready().await.unwrap().call(polls);
        let refused = match futures::poll!(&mut call) {
            Poll::Pending if rng.u8(..16) == 0 => {
                // A refusal is an answer at once, so this one was admitted.
                drop(call);
                books.cancelled.fetch_add(1, SeqCst);
                false
            }
            Poll::Pending => {
                let answer = call.await;
                assert!(!answer.is_err_and(|error| error.is::<Open>()), "refused after a wait");
                false
            }
            Poll::Ready(answer) => answer.is_err_and(|error| error.is::<Open>()),
        };
        if refused {
            books.refused.fetch_add(1, SeqCst);
            tokio::task::yield_now().await;
        } else {
            books.admitted.fetch_add(1, SeqCst);
        }
        if let Some(wait) = closed_until.filter(|wait| !wait.is_zero()) {
            books.known_open.fetch_add(1, SeqCst);
            assert!(
                refused || before.elapsed() >= wait,
                "called the inner service while the circuit was known to be open for {wait:?}"
            );
        }
    }
}

#[test]
fn the_books_balance_under_many_threads_and_an_inner_service_that_flips() {
    let default = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };
    let requests = env::var("SOAK_REQUESTS").map_or(default, |n| n.parse().unwrap());
    let mut seeds = Rng::with_seed(seed());
    let history = History::new(10_000_000);
    let policy = Policy::consecutive(5)
        .open_for(Backoff::fixed(Duration::from_micros(200)))
        .probes(2)
        .successes_to_close(2);
    let circuit = Circuit::builder("soak").policy(policy).observe(history.clone()).build();
    let books = Arc::new(Books::default());
    let good = Arc::new(AtomicBool::new(true));
    let layer = CircuitBreakerLayer::new(circuit.clone());
    let inner = Flipping { books: books.clone(), good: good.clone() };

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let callers: Vec<_> = (0..TASKS)
            .map(|n| {
                let share = requests / TASKS + u64::from(n < requests % TASKS);
                tokio::spawn(caller(layer.layer(inner.clone()), seeds.fork(), share))
            })
            .collect();
        for caller in callers {
            caller.await.unwrap();
        }
        // Healed, it closes by itself.
        good.store(true, SeqCst);
        let healed = Instant::now();
        let mut service = layer.layer(inner.clone());
        while circuit.state() != State::Closed {
            assert!(healed.elapsed() < Duration::from_secs(20), "does not close: {circuit:?}");
            books.calls.fetch_add(1, SeqCst);
            let refused = service.ready().await.unwrap().call(0).await.is_err();
            let book = if refused { &books.refused } else { &books.admitted };
            book.fetch_add(1, SeqCst);
            tokio::task::yield_now().await;
        }
        assert!(service.ready().await.unwrap().call(0).await.is_ok());
        books.calls.fetch_add(1, SeqCst);
        books.admitted.fetch_add(1, SeqCst);
    });

    let read = |count: &AtomicU64| count.load(SeqCst);
    let transitions = history.transitions();
    let mut kinds = HashMap::<_, u64>::new();
    let mut state = State::Closed;
    for transition in &transitions {
        assert_eq!(transition.from(), state, "{transition}");
        state = transition.to();
        *kinds.entry((transition.from(), transition.to())).or_default() += 1;
    }
    assert_eq!(state, State::Closed);
    assert!(transitions.len() < history.capacity(), "the history forgot the beginning");
    let legal = [
        (State::Closed, State::Open),
        (State::Open, State::HalfOpen),
        (State::HalfOpen, State::Open),
        (State::HalfOpen, State::Closed),
    ];
    assert!(kinds.keys().all(|kind| legal.contains(kind)), "{kinds:?}");
    println!(
        "calls={} admitted={} refused={} cancelled={} inner={} known_open={} flips={} {kinds:?}",
        read(&books.calls),
        read(&books.admitted),
        read(&books.refused),
        read(&books.cancelled),
        read(&books.inner),
        read(&books.known_open),
        read(&books.flips),
    );
    assert_eq!(read(&books.calls), read(&books.admitted) + read(&books.refused));
    assert_eq!(read(&books.inner), read(&books.admitted));
    assert!(read(&books.calls) >= requests);
    for count in [&books.refused, &books.cancelled, &books.known_open, &books.flips] {
        assert!(read(count) > 0, "nothing was put to the test");
    }
    assert!(legal.iter().all(|kind| kinds.contains_key(kind)), "{kinds:?}");
    assert_eq!(circuit.snapshot().probes_in_flight, 0);
}
