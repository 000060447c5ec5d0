use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use proptest::{collection::vec, prelude::*};
use tower_failover::fallback::cached::{Cache, Terms};

/// A value whose copies are counted as long as they live.
#[derive(Debug)]
struct Counted {
    number: u32,
    bytes: usize,
    alive: Arc<AtomicUsize>,
}

impl Counted {
    fn new(number: u32, bytes: usize, alive: &Arc<AtomicUsize>) -> Arc<Self> {
        alive.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self { number, bytes, alive: alive.clone() })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

type Weighed = Cache<u32, Arc<Counted>>;

fn of_bytes(bytes: u64) -> Weighed {
    Cache::builder("bytes").max_bytes(bytes, |_, value: &Arc<Counted>| value.bytes).build().0
}

/// What the cache adds to the weight of each entry.
fn own_weight() -> u64 {
    let cache = of_bytes(1 << 20);
    cache.insert(0, Counted::new(0, 0, &Arc::default()), Terms::new());
    cache.weight()
}

#[test]
fn promise_6_there_are_never_more_entries_than_asked_for() {
    for most in [1, 2, 3, 10, 63, 64, 65, 100, 127, 128, 200, 1_000, 1_023, 5_000, 10_000] {
        let cache = Cache::<u32, u32>::builder("entries").max_entries(most).build().0;
        assert!(cache.capacity() <= most as u64, "room for {} of {most}", cache.capacity());
        for key in 0..3 * most as u32 {
            cache.insert(key, key, Terms::new());
            assert!(cache.len() <= most, "{} of {most}", cache.len());
        }
        assert!(cache.len() * 10 >= most * 9, "only {} of {most} are used", cache.len());
        assert_eq!(cache.weight(), cache.len() as u64);
    }
}

#[test]
fn promise_6_bytes_are_never_more_than_asked_for() {
    let own = own_weight();
    for most in [1_000, 4_097, 100_000, 5_000_000, 33_333_333] {
        let (alive, cache) = (Arc::new(AtomicUsize::new(0)), of_bytes(most));
        let bytes = (most / 50).saturating_sub(own).max(1);
        assert!(cache.capacity() <= most);
        for key in 0..200 {
            cache.insert(key, Counted::new(key, bytes as usize, &alive), Terms::new());
            assert!(cache.weight() <= most, "{} of {most}", cache.weight());
            assert_eq!(cache.weight(), cache.len() as u64 * (bytes + own));
            assert_eq!(cache.len(), alive.load(Ordering::Relaxed), "what left is not dropped");
        }
        assert!(cache.weight() * 3 >= most * 2, "only {} of {most} are used", cache.weight());
    }
}

#[test]
fn promise_6_an_entry_heavier_than_the_cache_is_not_kept_and_harms_nothing() {
    let (alive, cache) = (Arc::new(AtomicUsize::new(0)), of_bytes(10_000));
    for key in 0..5 {
        cache.insert(key, Counted::new(key, 100, &alive), Terms::new());
    }
    let weight = cache.weight();
    for bytes in [10_000, 1 << 30, usize::MAX] {
        for key in [3, 9] {
            cache.insert(key, Counted::new(key, bytes, &alive), Terms::new());
            assert_eq!((cache.len(), cache.weight()), (5, weight), "after {bytes} under {key}");
        }
    }
    for key in 0..5 {
        assert_eq!(cache.get(&key).unwrap().value().bytes, 100);
    }
    assert!(cache.get(&9).is_none());
    assert_eq!(alive.load(Ordering::Relaxed), 5);
    cache.insert(9, Counted::new(9, 100, &alive), Terms::new());
    assert_eq!(cache.len(), 6);
}

#[test]
fn promise_6_bounds_hold_at_every_moment_while_threads_fill() {
    const MOST: u64 = 200_000;
    const INSERTS: u32 = 30_000;
    let (alive, cache) = (Arc::new(AtomicUsize::new(0)), of_bytes(MOST));
    let over = AtomicBool::new(false);
    let looks = thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut looks = 0_u32;
            while !over.load(Ordering::Relaxed) {
                let weight = cache.weight();
                assert!(weight <= MOST, "{weight} of {MOST}");
                looks += 1;
            }
            looks
        });
        let fillers: Vec<_> = (0..2_u64)
            .map(|seed| {
                let (cache, alive) = (&cache, &alive);
                scope.spawn(move || {
                    let mut random = fastrand::Rng::with_seed(seed);
                    for number in 0..INSERTS {
                        let value = Counted::new(number, random.usize(..20_000), alive);
                        cache.insert(random.u32(..500), value, Terms::new());
                    }
                })
            })
            .collect();
        fillers.into_iter().for_each(|filler| filler.join().unwrap());
        over.store(true, Ordering::Relaxed);
        watch.join().unwrap()
    });
    assert!(looks > 100, "looked {looks} times");
    assert_eq!(cache.len(), alive.load(Ordering::Relaxed));
    assert!(cache.weight() > MOST / 2);
    drop(cache);
    assert_eq!(alive.load(Ordering::Relaxed), 0);
}

#[derive(Clone, Debug)]
enum Step {
    Insert { key: u32, bytes: usize },
    Get { key: u32 },
    Invalidate { key: u32 },
    InvalidateOdd,
    InvalidateAll,
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..40_u32;
    prop_oneof![
        60 => (key.clone(), 0..3_000_usize).prop_map(|(key, bytes)| Step::Insert { key, bytes }),
        30 => key.clone().prop_map(|key| Step::Get { key }),
        8 => key.prop_map(|key| Step::Invalidate { key }),
        2 => Just(Step::InvalidateOdd),
        1 => Just(Step::InvalidateAll),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// The model says what may be there: nothing, or the last that was put there and was not
    /// too heavy.
    #[test]
    fn promise_6_under_any_load_the_cache_is_bounded_and_holds_nothing_but_the_last(
        steps in vec(step(), 1..300), most in 500_u64..20_000,
    ) {
        let own = own_weight();
        let (alive, cache) = (Arc::new(AtomicUsize::new(0)), of_bytes(most));
        let mut last = HashMap::new();
        for (number, step) in (0..).zip(steps) {
            match step {
                Step::Insert { key, bytes } => {
                    cache.insert(key, Counted::new(number, bytes, &alive), Terms::new());
                    let weight = bytes as u64 + own;
                    if weight <= most * 97 / 100 {
                        last.insert(key, (number, weight));
                    }
                }
                Step::Get { key } => drop(cache.get(&key)),
                Step::Invalidate { key } => {
                    cache.invalidate(&key);
                    last.remove(&key);
                }
                Step::InvalidateOdd => {
                    cache.invalidate_if(|key, _| key % 2 == 1);
                    last.retain(|key, _| key % 2 == 0);
                }
                Step::InvalidateAll => {
                    cache.invalidate_all();
                    last.clear();
                }
            }
            let mut weight = 0;
            let mut entries = 0;
            for key in 0..40 {
                if let Some(found) = cache.get(&key) {
                    let expected = last.get(&key).copied();
                    let number = found.value().number;
                    let found = Some((number, found.value().bytes as u64 + own));
                    prop_assert_eq!(found, expected);
                    weight += found.map_or(0, |(_, weight)| weight);
                    entries += 1;
                }
            }
            prop_assert_eq!((cache.weight(), cache.len()), (weight, entries));
            prop_assert!(weight <= most);
            prop_assert_eq!(alive.load(Ordering::Relaxed), entries);
        }
        drop(cache);
        prop_assert_eq!(alive.load(Ordering::Relaxed), 0);
    }
}
