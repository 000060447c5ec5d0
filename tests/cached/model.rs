//! A random schedule on one cache, and beside it a model that is slow and obvious: it writes down
//! everything that happened and works out anew what may be there.

use std::{
    collections::BTreeMap,
    ops::AddAssign,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::Duration,
};

use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use tokio::{
    sync::oneshot,
    time::{Instant, advance},
};
use tokio_test::task;
use tower::{Layer, Service, service_fn, util::BoxCloneService};
use tower_failover::{
    FallbackLayer, Ratio,
    fallback::{
        Served, Source,
        cached::{Cache, Cached, Stale, Terms},
    },
};

use crate::support::{NANO, SECOND, Trouble, classify};

const KEYS: u8 = 3;

/// An answer. What it is kept under is read off its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Value(u16);

impl Value {
    fn is_kept(self) -> bool {
        !self.0.is_multiple_of(7)
    }

    fn fresh_for(self) -> Duration {
        SECOND * u32::from(self.0 % 4)
    }

    fn stale_for(self) -> Duration {
        SECOND * u32::from(self.0 / 4 % 4)
    }

    fn age(self) -> Duration {
        SECOND * u32::from(self.0 / 16 % 3)
    }

    fn is_negative(self) -> bool {
        self.0.is_multiple_of(5)
    }

    fn tag(self) -> u8 {
        (self.0 % 2) as u8
    }

    fn terms(self) -> Terms {
        let terms = Terms::new()
            .fresh_for(self.fresh_for())
            .stale_for(self.stale_for())
            .age(self.age())
            .jitter(Ratio::percent(0))
            .tag(tag(self.tag()));
        if self.is_negative() { terms.negative() } else { terms }
    }
}

fn tag(tag: u8) -> &'static str {
    ["even", "odd"][usize::from(tag)]
}

#[derive(Clone, Copy, Debug)]
enum Forget {
    Key(u8),
    Tag(u8),
    Below(u16),
    All,
}

impl Forget {
    fn hits(self, key: u8, value: Value) -> bool {
        match self {
            Self::Key(hit) => hit == key,
            Self::Tag(hit) => hit == value.tag(),
            Self::Below(least) => value.0 < least,
            Self::All => true,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum End {
    Succeeds(Value),
    Fails,
    CallersOwn,
    SaysNothing,
    Cancelled,
}

#[derive(Clone, Debug)]
enum Step {
    Begin { key: u8, makes_every_call: bool },
    End { which: prop::sample::Index, end: End },
    Wait(Duration),
    Forget(Forget),
    Insert { key: u8, value: Value },
    Sweep,
}

fn value() -> impl Strategy<Value = Value> {
    (0..200_u16).prop_map(Value)
}

fn step() -> impl Strategy<Value = Step> {
    let end = prop_oneof![
        6 => value().prop_map(End::Succeeds),
        4 => Just(End::Fails),
        1 => Just(End::CallersOwn),
        1 => Just(End::SaysNothing),
        1 => Just(End::Cancelled),
    ];
    let wait = prop_oneof![
        (0..3_000_u64).prop_map(Duration::from_millis),
        (1..3_u32).prop_map(|seconds| SECOND * seconds),
        (1..3_u32).prop_map(|seconds| SECOND * seconds - NANO),
    ];
    let forget = prop_oneof![
        3 => (0..KEYS).prop_map(Forget::Key),
        2 => (0..2_u8).prop_map(Forget::Tag),
        2 => (0..200_u16).prop_map(Forget::Below),
        1 => Just(Forget::All),
    ];
    prop_oneof![
        8 => (0..KEYS, any::<bool>())
            .prop_map(|(key, makes_every_call)| Step::Begin { key, makes_every_call }),
        8 => (any::<prop::sample::Index>(), end).prop_map(|(which, end)| Step::End { which, end }),
        4 => wait.prop_map(Step::Wait),
        2 => forget.prop_map(Step::Forget),
        2 => (0..KEYS, value()).prop_map(|(key, value)| Step::Insert { key, value }),
        1 => Just(Step::Sweep),
    ]
}

/// Something that was to be kept.
#[derive(Clone, Copy, Debug)]
struct Offer {
    key: u8,
    value: Value,
    /// The number of the step in which its call began.
    began: usize,
    came_at: Instant,
}

impl Offer {
    fn age(&self, now: Instant) -> Duration {
        now - self.came_at + self.value.age()
    }

    fn is_usable(&self, now: Instant) -> bool {
        self.age(now) < self.value.fresh_for() + self.value.stale_for()
    }

    fn source(&self, now: Instant) -> Source {
        let age = self.age(now);
        if age < self.value.fresh_for() { Source::Cache { age } } else { Source::Stale { age } }
    }
}

/// Everything that happened, by the numbers of the steps.
#[derive(Default)]
struct Model {
    forgotten: Vec<(usize, Forget)>,
    kept: Vec<Offer>,
}

/// How often what the test is about has happened.
type Tally = BTreeMap<&'static str, u64>;

fn count(tally: &mut Tally, what: &'static str) {
    tally.entry(what).or_default().add_assign(1);
}

impl Model {
    fn find(&self, key: u8, now: Instant) -> Option<(Value, Source)> {
        let found = self.kept.iter().find(|offer| offer.key == key && offer.is_usable(now))?;
        Some((found.value, found.source(now)))
    }

    fn offer(&mut self, offer: Offer, now: Instant, tally: &mut Tally) {
        let forgotten = |(step, forget): &(usize, Forget)| {
            *step > offer.began && forget.hits(offer.key, offer.value)
        };
        if !offer.value.is_kept() {
            return count(tally, "refused by the keeper");
        }
        if !offer.is_usable(now) {
            return count(tally, "past its end when it came");
        }
        if self.forgotten.iter().any(forgotten) {
            return count(tally, "invalidated on its way");
        }
        if let Some(held) = self.kept.iter().find(|held| held.key == offer.key) {
            if held.began > offer.began {
                return count(tally, "behind a later call");
            }
            if offer.value.is_negative() && !held.value.is_negative() && held.is_usable(now) {
                return count(tally, "negative beside a positive one");
            }
        }
        count(tally, "kept");
        self.kept.retain(|held| held.key != offer.key);
        self.kept.push(offer);
    }
}

type Line = oneshot::Receiver<Result<Value, Trouble>>;

/// A request and the line on which its backend will hear what to answer.
#[derive(Clone)]
struct Request {
    key: u8,
    line: Arc<Mutex<Option<Line>>>,
}

type Answers = BoxCloneService<Request, Served<Value>, Trouble>;

struct OnItsWay {
    key: u8,
    began: usize,
    call: task::Spawn<<Answers as Service<Request>>::Future>,
    line: oneshot::Sender<Result<Value, Trouble>>,
}

fn services(cache: &Cache<u8, Value>) -> [Answers; 2] {
    let backend = service_fn(async |request: Request| {
        let line = request.line.lock().unwrap().take().expect("called once");
        line.await.expect("cancelled calls are not polled")
    });
    let key = |request: &Request| Some(request.key);
    let judge = |_: &Request, value: &Value| value.is_kept().then(|| value.terms());
    let cached = Cached::new(cache.clone(), key).terms_by(judge);
    let stale = Stale::new(cache.clone(), key).terms_by(judge);
    [
        BoxCloneService::new(FallbackLayer::new(cached).classify(classify).served().layer(backend)),
        BoxCloneService::new(FallbackLayer::new(stale).classify(classify).served().layer(backend)),
    ]
}

fn told(served: &Served<Value>) -> (Value, Source) {
    (*served.value(), served.source())
}

async fn run(steps: Vec<Step>, tally: &mut Tally) -> Result<(), TestCaseError> {
    let cache = Cache::<u8, Value>::builder("values").build().0;
    let mut services = services(&cache);
    let (mut model, mut on_their_way) = (Model::default(), Vec::<OnItsWay>::new());
    for (number, step) in (1..).zip(steps) {
        advance(NANO).await;
        let now = Instant::now();
        match step {
            Step::Begin { key, makes_every_call } => {
                let (line, hears) = oneshot::channel();
                let request = Request { key, line: Arc::new(Mutex::new(Some(hears))) };
                let service = &mut services[usize::from(makes_every_call)];
                let mut call = task::spawn(service.call(request));
                let expected = model.find(key, now).filter(|(_, source)| {
                    !makes_every_call && matches!(source, Source::Cache { .. })
                });
                match (call.poll(), expected) {
                    (Poll::Ready(answer), expected) => {
                        count(tally, "fresh without a call");
                        prop_assert_eq!(answer.ok().as_ref().map(told), expected);
                    }
                    (Poll::Pending, None) => {
                        on_their_way.push(OnItsWay { key, began: number, call, line });
                    }
                    (Poll::Pending, Some(fresh)) => {
                        prop_assert!(false, "{:?} is there, and the call is made", fresh);
                    }
                }
            }
            Step::End { which, end } => {
                if on_their_way.is_empty() {
                    continue;
                }
                let one = on_their_way.swap_remove(which.index(on_their_way.len()));
                let OnItsWay { key, began, mut call, line } = one;
                let (answer, expected) = match end {
                    End::Cancelled => {
                        count(tally, "cancelled");
                        drop(call);
                        prop_assert!(line.send(Ok(Value(1))).is_err());
                        continue;
                    }
                    End::Succeeds(value) => (Ok(value), Ok((value, Source::Primary))),
                    End::Fails => {
                        count(tally, "failed");
                        (Err(Trouble::Down), model.find(key, now).ok_or(Trouble::Down))
                    }
                    End::CallersOwn => (Err(Trouble::CallersOwn), Err(Trouble::CallersOwn)),
                    End::SaysNothing => (Err(Trouble::SaysNothing), Err(Trouble::SaysNothing)),
                };
                prop_assert!(line.send(answer).is_ok());
                let Poll::Ready(answer) = call.poll() else {
                    return Err(TestCaseError::fail("answered, and still waiting"));
                };
                let answer = answer.as_ref().map(told);
                if matches!(answer, Ok((_, Source::Stale { .. }))) {
                    count(tally, "stale");
                }
                prop_assert_eq!(answer, expected.as_ref().copied());
                if let End::Succeeds(value) = end {
                    model.offer(Offer { key, value, began, came_at: now }, now, tally);
                }
            }
            Step::Wait(wait) => advance(wait).await,
            Step::Forget(forget) => {
                match forget {
                    Forget::Key(key) => cache.invalidate(&key),
                    Forget::Tag(hit) => cache.invalidate_tag(tag(hit)),
                    Forget::Below(least) => cache.invalidate_if(move |_, value| value.0 < least),
                    Forget::All => cache.invalidate_all(),
                }
                model.kept.retain(|held| !forget.hits(held.key, held.value));
                model.forgotten.push((number, forget));
            }
            Step::Insert { key, value } => {
                cache.insert(key, value, value.terms());
                if value.is_kept() {
                    model.offer(Offer { key, value, began: number, came_at: now }, now, tally);
                } else {
                    // By hand, no keeper is asked.
                    cache.invalidate(&key);
                    model.kept.retain(|held| held.key != key);
                    model.forgotten.push((number, Forget::Key(key)));
                }
            }
            Step::Sweep => {
                cache.sweep();
                model.kept.retain(|held| held.is_usable(now));
                prop_assert_eq!(cache.len(), model.kept.len());
            }
        }
        let now = Instant::now();
        for key in 0..KEYS {
            let found = cache.get(&key);
            prop_assert_eq!(found.as_ref().map(told), model.find(key, now), "under {}", key);
        }
        model.kept.retain(|held| held.is_usable(now));
    }
    Ok(())
}

#[test]
fn promise_5_after_each_step_of_a_random_schedule_the_cache_is_what_a_plain_model_says() {
    let tally = Mutex::new(Tally::new());
    let mut runner = TestRunner::new(Config { cases: 2_000, ..Config::default() });
    let result = runner.run(&vec(step(), 1..80), |steps| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(run(steps, &mut tally.lock().unwrap_or_else(PoisonError::into_inner)))
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
    let tally = tally.into_inner().unwrap();
    println!("{tally:?}");
    for what in [
        "fresh without a call",
        "stale",
        "failed",
        "cancelled",
        "kept",
        "refused by the keeper",
        "past its end when it came",
        "invalidated on its way",
        "behind a later call",
        "negative beside a positive one",
    ] {
        let times = tally.get(what).copied().unwrap_or_default();
        assert!(times >= 100, "{what}: only {times} times");
    }
}
