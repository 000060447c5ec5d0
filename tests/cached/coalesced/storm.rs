//! Many callers on two threads, who leave whenever they like, and a record of what happened.

use std::{
    collections::HashMap,
    panic::resume_unwind,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::{
    task::{JoinSet, yield_now},
    time::{Instant, timeout},
};
use tower::{Layer, ServiceExt, util::BoxCloneSyncService};
use tower_failover::{
    BoxError, Ratio,
    fallback::{
        FallbackLayer,
        cached::{Cache, Cached, CoalesceLayer, Deposit, Found, Keeper, Query, Terms},
    },
};

use super::support::SECOND;

/// How many values of a kind there are.
#[derive(Clone, Debug, Default)]
struct Living(Arc<AtomicUsize>);

/// One of them, as long as it lives.
#[derive(Debug)]
struct Life(Living);

impl Living {
    fn one(&self) -> Life {
        self.0.fetch_add(1, SeqCst);
        Life(self.clone())
    }

    fn number(&self) -> usize {
        self.0.load(SeqCst)
    }
}

impl Clone for Life {
    fn clone(&self) -> Self {
        self.0.one()
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, SeqCst);
    }
}

struct Request {
    key: u64,
    _life: Life,
}

const ORIGIN: &str = "the origin panics";
const KEEPER: &str = "the keeper panics";

/// What the keeper does with a response.
#[derive(Clone, Copy, Debug, Default)]
enum Trouble {
    #[default]
    None,
    /// What is kept is past its end so soon that most of those who wait for it look too late.
    Short,
    Lost,
    Panic,
}

#[derive(Clone, Debug)]
struct Response {
    key: u64,
    trouble: Trouble,
    _life: Life,
}

/// Keeps nothing for longer than the callers of the moment need it.
#[derive(Clone)]
struct ForNow {
    record: Arc<Record>,
}

impl Keeper for ForNow {
    type Response = Response;
    type Key = u64;
    type Stored = Response;
    type Note = ();

    fn keep(&self, (): (), response: &mut Response, deposit: Deposit<u64, Response>) {
        let trouble = std::mem::take(&mut response.trouble);
        match trouble {
            Trouble::None | Trouble::Short => {
                let stale_for = if matches!(trouble, Trouble::Short) { 1 } else { 100 };
                let terms = Terms::new().fresh_for(Duration::from_micros(fastrand::u64(0..300)));
                deposit.store(response.clone(), terms.stale_for(Duration::from_millis(stale_for)));
            }
            Trouble::Lost => {
                self.record.lost.fetch_add(1, SeqCst);
                drop(deposit);
            }
            Trouble::Panic => resume_unwind(Box::new(KEEPER)),
        }
    }

    fn restore(&self, found: Found<'_, Response>) -> Response {
        found.stored().clone()
    }
}

impl Query<Request> for ForNow {
    fn key(&self, request: &Request) -> Option<u64> {
        Some(request.key)
    }

    fn note(&self, _: &Request) {}
}

/// What went on at the origin.
#[derive(Debug, Default)]
struct Record {
    running: Mutex<HashMap<u64, usize>>,
    calls: AtomicUsize,
    dropped: AtomicUsize,
    panicked: AtomicUsize,
    together: AtomicUsize,
    lost: AtomicUsize,
}

/// A loss or a short life now and then, but never two of a key in a row: who has waited in vain three
/// times makes a call of his own.
#[derive(Clone, Debug, Default)]
struct Losses(Arc<Mutex<HashMap<u64, bool>>>);

impl Losses {
    fn is_due(&self, key: u64, of_256: u8) -> bool {
        let mut losses = self.0.lock().unwrap();
        let was_lost = losses.entry(key).or_default();
        *was_lost = !*was_lost && fastrand::u8(..) < of_256;
        *was_lost
    }
}

struct Working(Arc<Record>, u64, AtomicBool);

impl Drop for Working {
    fn drop(&mut self) {
        *self.0.running.lock().unwrap().get_mut(&self.1).unwrap() -= 1;
        if !self.2.load(SeqCst) {
            self.0.dropped.fetch_add(1, SeqCst);
        }
    }
}

/// Answers after a few turns of the runtime; fails and panics now and then.
async fn work(record: Arc<Record>, losses: Losses, request: Request) -> Result<Response, BoxError> {
    let key = request.key;
    record.calls.fetch_add(1, SeqCst);
    let running = {
        let mut running = record.running.lock().unwrap();
        let running = running.entry(key).or_default();
        *running += 1;
        *running
    };
    if running > 1 {
        record.together.fetch_add(1, SeqCst);
    }
    let working = Working(record.clone(), key, AtomicBool::new(false));
    for _ in 0..fastrand::u8(0..12) {
        yield_now().await;
    }
    working.2.store(true, SeqCst);
    if fastrand::u8(..) < 10 {
        return Err("down".into());
    }
    let trouble = match losses.is_due(key, 48).then(|| fastrand::u8(0..9)) {
        None => Trouble::None,
        Some(0) => Trouble::Lost,
        Some(1) => Trouble::Panic,
        Some(3..) => Trouble::Short,
        Some(_) => {
            record.panicked.fetch_add(1, SeqCst);
            resume_unwind(Box::new(ORIGIN))
        }
    };
    Ok(Response { key, trouble, _life: request._life.clone() })
}

/// The whole storm: so many callers, of whom so many leave.
async fn storm(callers: usize, keys: u64, seed: u64) {
    let lives = Living::default();
    let record = Arc::new(Record::default());
    let (cache, upkeep) = Cache::<u64, Response>::builder("storm").background_loads(4).build();
    let upkeep = tokio::spawn(upkeep);
    let inner = {
        let (record, losses) = (record.clone(), Losses::default());
        tower::service_fn(move |request| work(record.clone(), losses.clone(), request))
    };
    let cached = Cached::with(cache.clone(), ForNow { record: record.clone() })
        .refresh_ahead(Ratio::percent(50));
    let layer = CoalesceLayer::new(cached.clone())
        .soft_timeout(Duration::from_millis(1))
        .after_failed_refresh(tower_failover::Backoff::fixed(Duration::from_micros(50)));
    let shown = format!("{:?}", layer.layer(inner.clone()));
    assert!(shown.contains("loads: 0"), "{shown}");
    let below = layer.layer(inner);
    let stack = FallbackLayer::new(cached).layer(below.clone());
    let stack = BoxCloneSyncService::new(stack);

    let mut random = fastrand::Rng::with_seed(seed);
    let mut tasks = JoinSet::new();
    let (mut left, mut answered, mut failed, mut panics, mut started) = (0, 0, 0, 0, 0);
    let began = Instant::now();
    while started < callers || !tasks.is_empty() {
        if started < callers && tasks.len() < 200 {
            started += 1;
            let key = random.u64(0..keys);
            let leaves_after = (random.u8(0..3) == 0).then(|| random.u8(0..8));
            let (stack, life) = (stack.clone(), lives.one());
            tasks.spawn(async move {
                let call = stack.oneshot(Request { key, _life: life });
                let Some(polls) = leaves_after else {
                    return match timeout(5 * SECOND, call).await.expect("every call ends") {
                        Ok(response) => {
                            assert_eq!(response.key, key, "somebody else's answer");
                            "answered"
                        }
                        Err(_) => "failed",
                    };
                };
                let mut call = std::pin::pin!(call);
                for _ in 0..=polls {
                    if futures::poll!(&mut call).is_ready() {
                        return "answered";
                    }
                    yield_now().await;
                }
                "left"
            });
            continue;
        }
        match tasks.join_next().await.unwrap() {
            Ok("answered") => answered += 1,
            Ok("failed") => failed += 1,
            Ok(_) => left += 1,
            Err(error) => {
                let panic = error.into_panic();
                let text = panic.downcast_ref::<&str>().copied().unwrap_or_default();
                assert!([ORIGIN, KEEPER].contains(&text), "seed {seed}: {text:?}");
                panics += 1;
            }
        }
    }
    let calls = record.calls.load(SeqCst);
    println!(
        "seed {seed}: {answered} answered, {failed} failed, {left} left, {panics} panicked, {calls} calls, \
         {} dropped, {} together, {:?}",
        record.dropped.load(SeqCst),
        record.together.load(SeqCst),
        began.elapsed(),
    );
    assert_eq!(answered + failed + left + panics, callers);
    assert!(answered > callers / 2 && failed > 0 && left > callers / 100 && panics > 0);
    assert!(calls > 100 && calls < callers, "{calls} calls");
    assert!(
        record.lost.load(SeqCst) > 0
            && record.dropped.load(SeqCst) > 0
            && record.panicked.load(SeqCst) > 0
    );
    // Who has waited in vain three times makes a call of his own, beside that of the others.
    let together = record.together.load(SeqCst);
    assert!(together * 200 <= calls, "{together} of {calls} calls ran beside another of their key");

    // What is left goes on in the background, and ends.
    let end = Instant::now() + 5 * SECOND;
    while !format!("{below:?}").contains("loads: 0") {
        assert!(Instant::now() < end, "seed {seed}: {below:?}");
        yield_now().await;
    }
    assert_eq!(record.running.lock().unwrap().values().sum::<usize>(), 0);
    cache.invalidate_all();
    while lives.number() > 0 {
        assert!(Instant::now() < end, "seed {seed}: {} that nobody has any more", lives.number());
        yield_now().await;
    }
    drop((stack, below, layer, cache));
    timeout(5 * SECOND, upkeep).await.expect("it ends with the cache").unwrap();
    assert_eq!(Arc::strong_count(&record), 1, "seed {seed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_7_in_a_storm_of_cancelled_calls_every_other_one_ends_and_nothing_is_left() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    storm(100_000, 5, seed).await;
}
