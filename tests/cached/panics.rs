use std::{
    future::ready,
    hash::{Hash, Hasher},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use futures::executor::block_on;
use tokio::time::{advance, sleep};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_failover::{
    FallbackLayer,
    fallback::{
        Served,
        cached::{Cache, Cached},
    },
};

use crate::support::{SECOND, begin, by_hand, by_name, cache, terms};

fn panics<T>(what: impl FnOnce() -> T) -> bool {
    catch_unwind(AssertUnwindSafe(what)).is_err()
}

/// A response whose copies are made as often as it is allowed.
#[derive(Debug)]
struct Brittle {
    number: u32,
    copies: Arc<AtomicUsize>,
}

impl Clone for Brittle {
    fn clone(&self) -> Self {
        let take = |left: usize| left.checked_sub(1);
        let left = self.copies.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        assert!(left.is_ok(), "as told");
        Self { number: self.number, copies: self.copies.clone() }
    }
}

/// The number of the answer, and whether it came from the cache.
fn ask<S>(service: &mut S, number: u32) -> Result<(u32, bool), S::Error>
where
    S: Service<u32, Response = Served<Brittle>>,
{
    let served = block_on(service.call(number))?;
    Ok((served.value().number, served.is_fallback()))
}

#[tokio::test(start_paused = true)]
async fn promise_5_a_copy_that_panics_reaches_its_caller_and_leaves_the_cache_sound() {
    let copies = Arc::new(AtomicUsize::new(0));
    let cache = Cache::<u32, Brittle>::builder("brittle").build().0;
    let cached = Cached::new(cache.clone(), |key: &u32| Some(*key)).terms(terms());
    let (made, is_up) = (copies.clone(), Arc::new(AtomicBool::new(true)));
    let up = is_up.clone();
    let backend = service_fn(move |number: u32| {
        let brittle = Brittle { number, copies: made.clone() };
        ready(up.load(Ordering::Relaxed).then_some(brittle).ok_or("down"))
    });
    let mut service = FallbackLayer::new(cached).served().layer(backend);
    assert!(panics(|| ask(&mut service, 7)), "while it is learned");
    assert!(cache.is_empty());
    copies.store(2, Ordering::Relaxed);
    assert_eq!(ask(&mut service, 7).unwrap(), (7, false));
    assert_eq!(ask(&mut service, 7).unwrap(), (7, true));
    assert!(panics(|| ask(&mut service, 7)), "while it answers");
    copies.store(1, Ordering::Relaxed);
    assert_eq!(ask(&mut service, 7).unwrap(), (7, true));
    advance(11 * SECOND).await;
    is_up.store(false, Ordering::Relaxed);
    assert!(panics(|| ask(&mut service, 7)), "while it answers in place of a failed call");
    assert!(panics(|| cache.get(&7)), "while it is looked at");
    copies.store(2, Ordering::Relaxed);
    assert_eq!(ask(&mut service, 7).unwrap(), (7, true));
    assert_eq!(cache.get(&7).unwrap().value().number, 7);
}

#[tokio::test(start_paused = true)]
async fn promise_5_a_key_function_that_panics_reaches_its_caller_and_calls_nobody() {
    let cache = cache();
    let key = |request: &&'static str| (*request != "bad").then_some(*request).or_else(|| panic!());
    let (mut service, mut backend) = by_hand(Cached::new(cache.clone(), key).terms(terms()));
    backend.allow(1);
    service.ready().await.unwrap();
    assert!(panics(|| drop(service.call("bad"))));
    let mut asked = tokio_test::task::spawn(backend.next_request());
    assert!(asked.poll().is_pending());
    drop(asked);
    let (call, respond) = begin(&mut service, &mut backend, "good").await;
    respond.send_response("A");
    call.await.unwrap();
    assert_eq!(cache.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn promise_6_a_weight_that_panics_keeps_nothing_and_harms_nothing() {
    let weigh = |key: &&str, _: &&str| if *key == "bad" { panic!("as told") } else { 1 };
    let cache = Cache::<&str, &str>::builder("names").max_bytes(10_000, weigh).build().0;
    let (mut service, mut backend) = by_hand(Cached::new(cache.clone(), by_name).terms(terms()));
    let mut panicked = 0;
    for (request, kept) in [("good", 1), ("bad", 1), ("better", 2)] {
        let (mut call, respond) = begin(&mut service, &mut backend, request).await;
        respond.send_response("A");
        panicked += u32::from(panics(|| call.poll()));
        assert_eq!(cache.len(), kept, "after {request}");
    }
    assert_eq!(panicked, 1);
    assert!(panics(|| cache.insert("bad", "B", terms())));
    cache.insert("good", "B", terms());
    assert_eq!(cache.get(&"good").unwrap().into_inner(), "B");
}

#[tokio::test(start_paused = true)]
async fn promise_6_a_predicate_that_panics_harms_nobody_later() {
    let cache = cache();
    let (mut service, mut backend) = by_hand(Cached::new(cache.clone(), by_name).terms(terms()));
    cache.insert("b", "B", terms());
    let (mut call, respond) = begin(&mut service, &mut backend, "a").await;
    assert!(panics(|| cache.invalidate_if(|_, _| panic!("as told"))), "where it is asked for");
    assert_eq!(cache.get(&"b").unwrap().into_inner(), "B");
    respond.send_response("A");
    assert!(panics(|| call.poll()), "where an answer on its way is judged");
    assert!(cache.get(&"a").is_none(), "what could not be judged is not kept");

    let (call, respond) = begin(&mut service, &mut backend, "a").await;
    cache.invalidate(&"c");
    respond.send_response("A");
    call.await.unwrap();
    assert_eq!(cache.get(&"a").unwrap().into_inner(), "A");
    cache.invalidate_all();
    assert!(cache.is_empty());
}

/// Does something when it is dropped.
struct Touchy(Option<Box<dyn Fn() + Send + Sync>>);

impl Touchy {
    fn new(on_drop: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(on_drop)))
    }
}

impl Drop for Touchy {
    fn drop(&mut self) {
        if let Some(on_drop) = self.0.take() {
            on_drop();
        }
    }
}

type Things = Cache<u32, Arc<Touchy>>;

fn plain() -> Touchy {
    Touchy(None)
}

fn things() -> Things {
    Cache::builder("things").max_entries(2).build().0
}

fn put(cache: &Things, key: u32, value: Touchy) {
    cache.insert(key, Arc::new(value), terms().tag("touchy"));
}

/// A way, by its name, to have the entry under 0 leave.
type Way = (&'static str, fn(&Things));

/// Those that hit what is usable.
const LEAVES: [Way; 6] = [
    ("replaced", |cache| put(cache, 0, plain())),
    ("evicted", |cache| {
        for key in 1..20 {
            put(cache, key, plain());
            drop((cache.get(&key), cache.get(&key)));
        }
    }),
    ("invalidated by key", |cache| cache.invalidate(&0)),
    ("invalidated by tag", |cache| cache.invalidate_tag("touchy")),
    ("invalidated by predicate", |cache| cache.invalidate_if(|_, _| true)),
    ("invalidated with all", |cache| cache.invalidate_all()),
];

/// Those that hit what is past its end.
const GOES: [Way; 2] = [
    ("swept", |cache| cache.sweep()),
    ("found past its end", |cache| assert!(cache.get(&0).is_none())),
];

/// Time is stopped, and a test that hangs fails.
fn within_seconds(test: impl AsyncFnOnce() + Send + 'static) {
    let (done, ended) = mpsc::channel();
    let runner = thread::spawn(move || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().start_paused(true).build().unwrap().block_on(test());
        done.send(()).unwrap();
    });
    match ended.recv_timeout(Duration::from_secs(20)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
        Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => runner.join().unwrap(),
    }
}

/// Runs every way by which an entry leaves, on one whose drop does this.
async fn leave(does: fn(&Things), after: fn(&Things, &str)) {
    for (way, leaves, waits) in LEAVES
        .map(|(way, run)| (way, run, false))
        .into_iter()
        .chain(GOES.map(|(way, run)| (way, run, true)))
    {
        let cache = things();
        let dropped = Arc::new(AtomicUsize::new(0));
        let (handle, count) = (cache.clone(), dropped.clone());
        let on_drop = move || {
            count.fetch_add(1, Ordering::Relaxed);
            does(&handle);
        };
        put(&cache, 0, Touchy::new(on_drop));
        if waits {
            advance(16 * SECOND).await;
        }
        let _ = panics(|| leaves(&cache));
        assert_eq!(dropped.load(Ordering::Relaxed), 1, "{way}");
        after(&cache, way);
    }
}

fn works(cache: &Things, way: &str) {
    cache.invalidate_all();
    assert!(cache.is_empty(), "{way}");
    put(cache, 5, plain());
    assert!(cache.get(&5).is_some() && cache.len() == 1, "{way}");
}

#[test]
fn promise_6_a_drop_that_panics_leaves_the_cache_sound() {
    within_seconds(async || leave(|_| panic!("as told"), works).await);
}

#[test]
fn promise_6_a_drop_may_call_back_into_the_cache() {
    let calls: [fn(&Things); 6] = [
        |cache| put(cache, 0, plain()),
        |cache| put(cache, 9, plain()),
        |cache| cache.invalidate(&0),
        |cache| cache.invalidate_if(|_, _| true),
        |cache| cache.sweep(),
        |cache| drop((cache.get(&0), cache.len(), cache.weight())),
    ];
    within_seconds(async move || {
        for does in calls {
            leave(does, works).await;
        }
    });
}

#[test]
fn promise_6_a_predicate_may_call_back_into_the_cache_when_it_is_dropped() {
    within_seconds(async || {
        let (cache, dropped) = (things(), Arc::new(AtomicUsize::new(0)));
        let (handle, count) = (cache.clone(), dropped.clone());
        let guard = Touchy::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
            put(&handle, 3, plain());
            handle.invalidate(&4);
        });
        cache.invalidate_if(move |_, _| guard.0.is_none());
        for _ in 0..5_000 {
            cache.invalidate(&4);
        }
        assert_eq!(dropped.load(Ordering::Relaxed), 1, "it is not kept for ever");
        assert!(cache.get(&3).is_some());
    });
}

/// A key that calls back when its last clone goes.
#[derive(Clone)]
struct Handle {
    number: u32,
    _touchy: Arc<Touchy>,
}

impl PartialEq for Handle {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Handle {}

impl Hash for Handle {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}

#[test]
fn promise_6_a_key_may_call_back_into_the_cache_when_it_is_dropped() {
    within_seconds(async || {
        let cache = Cache::<Handle, u32>::builder("handles").max_entries(2).build().0;
        let dropped = Arc::new(AtomicUsize::new(0));
        let key = |number: u32| {
            let (handle, count) = (cache.clone(), dropped.clone());
            let touchy = Touchy::new(move || {
                count.fetch_add(1, Ordering::Relaxed);
                let key = Handle { number: 1_000, _touchy: Arc::new(plain()) };
                handle.insert(key, 0, terms());
            });
            Handle { number, _touchy: Arc::new(touchy) }
        };
        for round in 0..6_000 {
            cache.insert(key(round % 7), round, terms());
            cache.insert(key(round % 7), round, terms());
            cache.invalidate(&key(round % 5));
        }
        cache.invalidate_all();
        assert!(cache.is_empty() || cache.len() == 1);
        // The latest invalidations are remembered, and all but the last 4,096 are by key.
        assert!(dropped.load(Ordering::Relaxed) >= 3 * 6_000 - 4_096);
    });
}

#[test]
fn promise_6_upkeep_goes_on_after_a_drop_that_panics() {
    within_seconds(async || {
        let (cache, upkeep) = Things::builder("things").sweep_every(20 * SECOND).build();
        let task = tokio::spawn(upkeep);
        let dropped = Arc::new(AtomicUsize::new(0));
        for round in 1..=3 {
            let count = dropped.clone();
            let on_drop = move || {
                count.fetch_add(1, Ordering::Relaxed);
                panic!("as told");
            };
            put(&cache, 0, Touchy::new(on_drop));
            sleep(21 * SECOND).await;
            assert_eq!(dropped.load(Ordering::Relaxed), round);
            assert!(!task.is_finished(), "one panic ended it");
        }
        put(&cache, 1, plain());
        sleep(20 * SECOND).await;
        assert!(cache.is_empty());
        drop(cache);
        task.await.unwrap();
    });
}
