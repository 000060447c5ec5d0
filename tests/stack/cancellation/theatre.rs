//! The stack of the scenes, and what is looked at after each.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use tower::{Service, ServiceBuilder, util::BoxCloneSyncService};
use tower_failover::{
    Backoff, BoxError, CircuitBreakerLayer, FallbackLayer, Outcome,
    circuit_breaker::{Circuit, Policy, State},
    event::{Event, History},
    fallback::{self, Served, Source},
};

use super::scene::{Forgetful, Inner, Scene, Stage, panics, part, scene};

const OPEN_FOR: Duration = Duration::from_secs(1);
/// A probe that loses its place would be missed for as long, and the clock never gets there.
const PROBE_DEADLINE: Duration = Duration::from_secs(1_000_000_000);
const TRIP: u32 = 2;
/// Polls after which every future here is done.
const DONE: usize = 32;
/// More transitions than one scene makes.
const KEPT_TRANSITIONS: usize = 64;

type Stacked = BoxCloneSyncService<u32, Served<u32>, BoxError>;

pub(super) struct Theatre {
    stage: Stage,
    alive: Arc<()>,
    /// Its holders while nothing is called: services and strategies.
    idle: usize,
    circuit: Circuit,
    history: History,
    stacks: [Stacked; 2],
    pub(super) happened: BTreeMap<String, u64>,
    pub(super) broken: Vec<String>,
}

impl Theatre {
    pub(super) fn open(forgetful: bool) -> Self {
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
        let history = History::new(KEPT_TRANSITIONS);
        let circuit = Circuit::builder("mock")
            .policy(policy)
            .observe(observer(stage.clone()))
            .observe(history.clone())
            .build();
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
        Self { stage, alive, idle, circuit, history, stacks, happened, broken }
    }

    /// Plays a scene on a clone of each stack, and sees afterwards that all is as before.
    pub(super) async fn play(&mut self, scene: Scene) {
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
        let transitions = self.history.transitions();
        let in_order = transitions.windows(2).all(|pair| pair[0].to() == pair[1].from());
        if left > 0 || probes > 0 || !works || !in_order {
            self.broken.push(format!(
                "{left} alive, {probes} probes, works: {works}, in order: {in_order}: {scene:?}"
            ));
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
