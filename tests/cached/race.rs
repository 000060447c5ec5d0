//! Threads that load and one that invalidates, at any moment; a checker reads what they saw.

use std::{
    hash::{Hash, Hasher},
    hint::spin_loop,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use futures::executor::block_on;
use tower::{Layer, Service, service_fn};
use tower_failover::{
    BoxError, FallbackLayer,
    fallback::{
        Source,
        cached::{Cache, Cached, Terms},
    },
};

type Versions = Cache<Name, u64>;

/// A key that takes its time when it is looked for, so that what happens between two looks is seen.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Name(u64);

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if fastrand::u32(..4) == 0 {
            thread::yield_now();
        }
        self.0.hash(state);
    }
}

const LOADERS: usize = 2;
/// Loads that had read their value before an invalidation and came to be kept after it.
const NEAR: u64 = 1_000;
const MOST_INVALIDATIONS: u64 = 2_000_000;

/// What the world is like: the backend's value, and the least that may still be read.
#[derive(Default)]
struct World {
    version: AtomicU64,
    floor: AtomicU64,
    near: AtomicU64,
    over: AtomicBool,
}

/// One answer: what was known to be forgotten when it was asked for, what it was, from where.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Seen {
    floor: u64,
    version: u64,
    from_cache: bool,
}

fn load(world: &Arc<World>, cache: &Versions, seed: u64) -> Vec<Seen> {
    let tagged = |_: &u64, _: &u64| Some(Terms::new().tag("version"));
    let cached = Cached::new(cache.clone(), |key: &u64| Some(Name(*key))).terms_by(tagged);
    let backend = {
        let world = world.clone();
        let mut random = fastrand::Rng::with_seed(seed);
        service_fn(move |_: u64| {
            let version = world.version.load(Ordering::SeqCst);
            // Half of the loads wait for the world to change, to be near the race.
            let patience = if random.bool() { 64 } else { 0 };
            for _ in 0..patience {
                if world.version.load(Ordering::SeqCst) != version {
                    break;
                }
                thread::yield_now();
            }
            (0..random.u32(..200)).for_each(|_| spin_loop());
            let is_near = world.version.load(Ordering::SeqCst) != version;
            world.near.fetch_add(u64::from(is_near), Ordering::Relaxed);
            std::future::ready(Ok::<_, BoxError>(version))
        })
    };
    let mut service = FallbackLayer::new(cached).served().layer(backend);
    let mut history = Vec::new();
    while !world.over.load(Ordering::Relaxed) {
        let floor = world.floor.load(Ordering::SeqCst);
        let served = block_on(service.call(7)).unwrap();
        let from_cache = served.is_fallback();
        assert!(!matches!(served.source(), Source::Stale { .. }), "no call failed");
        let seen = Seen { floor, version: served.into_inner(), from_cache };
        // Most are the same as the one before them.
        if history.last() != Some(&seen) {
            history.push(seen);
        }
        if from_cache {
            thread::yield_now();
        }
    }
    history
}

fn invalidate(world: &World, cache: &Versions, way: fn(&Versions), seed: u64) -> u64 {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut invalidations = 0;
    while world.near.load(Ordering::Relaxed) < NEAR && invalidations < MOST_INVALIDATIONS {
        let version = world.version.fetch_add(1, Ordering::SeqCst) + 1;
        way(cache);
        world.floor.store(version, Ordering::SeqCst);
        invalidations += 1;
        (0..random.u32(..400)).for_each(|_| spin_loop());
        if random.u32(..4) == 0 {
            thread::yield_now();
        }
    }
    world.over.store(true, Ordering::Relaxed);
    invalidations
}

/// Races that share the cores would seldom be near.
static ALONE: Mutex<()> = Mutex::new(());

fn race(name: &str, way: fn(&Versions)) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let seed = fastrand::u64(..);
    println!("{name}: seed {seed}");
    let (world, cache) = (Arc::new(World::default()), Versions::builder("versions").build().0);
    (0..100).for_each(|other| cache.insert(Name(other), 0, Terms::new()));
    cache.invalidate_all();
    let (histories, invalidations) = thread::scope(|scope| {
        let loaders: Vec<_> = (0..LOADERS as u64)
            .map(|n| {
                let (world, cache) = (&world, &cache);
                scope.spawn(move || load(world, cache, seed.wrapping_add(n)))
            })
            .collect();
        let invalidations = invalidate(&world, &cache, way, seed);
        let histories: Vec<_> = loaders.into_iter().map(|loader| loader.join().unwrap()).collect();
        (histories, invalidations)
    });

    let (mut kept, mut loaded) = (0_u64, 0_u64);
    for seen in histories.iter().flatten() {
        let Seen { floor, version, from_cache } = *seen;
        assert!(
            version >= floor,
            "{name}: read {version}, of which all before {floor} are forgotten"
        );
        if from_cache {
            kept += 1;
        } else {
            loaded += 1;
        }
    }
    let near = world.near.load(Ordering::Relaxed);
    println!("{name}: invalidations={invalidations} loaded={loaded} kept={kept} near={near}");
    assert!(near >= NEAR, "{name}: only {near} of {loaded} loads were near the race");
    assert!(kept >= 50, "{name}: only {kept} different answers came from the cache");
}

#[test]
fn promise_6_nothing_loaded_before_an_invalidation_by_key_is_read_after_it() {
    race("key", |cache| cache.invalidate(&Name(7)));
}

#[test]
fn promise_6_nothing_loaded_before_an_invalidation_by_tag_is_read_after_it() {
    race("tag", |cache| cache.invalidate_tag("version"));
}

#[test]
fn promise_6_nothing_loaded_before_an_invalidation_by_predicate_is_read_after_it() {
    race("predicate", |cache| cache.invalidate_if(|key, _| *key == Name(7)));
}

#[test]
fn promise_6_nothing_loaded_before_an_invalidation_of_all_is_read_after_it() {
    race("all", Versions::invalidate_all);
}
