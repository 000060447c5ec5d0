//! A target that does what it is told, and who writes down what is heard of it.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tower_failover::{
    BoxError,
    event::{Event, Grade, HealthChange, Observer},
    health::{Checking, Health, Monitor, Policy, Probe},
};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MILLISECOND: Duration = Duration::from_millis(1);

/// Checks a target exactly once a second.
pub(crate) const EXACT: Policy = Policy::new().jitter(tower_failover::Ratio::percent(0));

/// What a target does with its probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Answers(Duration),
    Fails,
    Hangs,
    PanicsWhenCalled,
    PanicsWhenPolled,
    PanicsWhenDropped,
    ErrorPanics,
}

pub(crate) const ANSWERS: Act = Act::Answers(Duration::ZERO);

/// A target, and how often it was probed. A clone is the same target.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    act: Arc<Mutex<Act>>,
    at: watch::Sender<Vec<Instant>>,
    under_way: watch::Sender<usize>,
}

impl Target {
    pub(crate) fn new(act: Act) -> Self {
        Self {
            act: Arc::new(Mutex::new(act)),
            at: watch::Sender::default(),
            under_way: watch::Sender::default(),
        }
    }

    pub(crate) fn now(&self, act: Act) {
        *self.act.lock().unwrap() = act;
    }

    pub(crate) fn probes(&self) -> usize {
        self.at.borrow().len()
    }

    pub(crate) fn under_way(&self) -> usize {
        *self.under_way.borrow()
    }

    /// When its probes began.
    pub(crate) fn times(&self) -> Vec<Instant> {
        self.at.borrow().clone()
    }

    /// Waits until it has been probed this often.
    pub(crate) async fn probed(&self, times: usize) {
        until(&self.at, |at| at.len() >= times).await;
    }

    /// Waits until none of its probes is under way.
    pub(crate) async fn rests(&self) {
        until(&self.under_way, |under_way| *under_way == 0).await;
    }
}

/// Waits until this is so, but not for ever.
async fn until<T: std::fmt::Debug>(what: &watch::Sender<T>, is_so: impl FnMut(&T) -> bool) {
    let mut seen = what.subscribe();
    let waits = timeout(100_000 * SECOND, seen.wait_for(is_so)).await.map(|_| ());
    assert!(waits.is_ok(), "it never became so: {:?}", what.borrow());
}

/// Counts as long as it lives.
struct Counted(watch::Sender<usize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|under_way| *under_way -= 1);
    }
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("a probe panics when it is dropped");
    }
}

#[derive(Debug)]
struct PanickingError;

impl std::fmt::Display for PanickingError {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("an error panics when it is shown");
    }
}

impl std::error::Error for PanickingError {}

impl Probe for Target {
    fn check(&self) -> Checking {
        let act = *self.act.lock().unwrap();
        self.at.send_modify(|at| at.push(Instant::now()));
        assert!(act != Act::PanicsWhenCalled, "a probe panics when it is called");
        self.under_way.send_modify(|under_way| *under_way += 1);
        let counted = Counted(self.under_way.clone());
        Box::pin(async move {
            let _counted = counted;
            match act {
                Act::Answers(after) if after.is_zero() => Ok(()),
                Act::Answers(after) => {
                    sleep(after).await;
                    Ok(())
                }
                Act::Fails => Err(BoxError::from("connection refused")),
                Act::Hangs => std::future::pending().await,
                Act::PanicsWhenCalled | Act::PanicsWhenPolled => {
                    panic!("a probe panics when it is polled")
                }
                Act::PanicsWhenDropped => {
                    let _bomb = PanicsWhenDropped;
                    std::future::pending().await
                }
                Act::ErrorPanics => Err(BoxError::from(PanickingError)),
            }
        })
    }
}

/// Writes down each change, and when it was told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Diary(watch::Sender<Vec<(Instant, HealthChange)>>);

impl Diary {
    pub(crate) fn changes(&self) -> Vec<HealthChange> {
        self.0.borrow().iter().map(|(_, change)| change.clone()).collect()
    }

    pub(crate) fn grades(&self) -> Vec<Grade> {
        self.changes().iter().map(HealthChange::to).collect()
    }

    /// Waits until it hears of this grade after this time, and says when it did.
    pub(crate) async fn hears(&self, grade: Grade, after: Instant) -> Instant {
        let is_it = |(at, change): &(Instant, HealthChange)| *at >= after && change.to() == grade;
        until(&self.0, |heard| heard.iter().any(is_it)).await;
        let heard = self.0.borrow();
        heard.iter().find(|heard| is_it(heard)).unwrap().0
    }
}

impl Observer for Diary {
    fn on_event(&self, event: &Event<'_>) {
        if let Event::Health(change) = *event {
            self.0.send_modify(|heard| heard.push((Instant::now(), change.clone())));
        }
    }
}

/// A target that is monitored by a task of its own.
pub(crate) struct Ward {
    pub(crate) target: Target,
    pub(crate) health: Health,
    pub(crate) diary: Diary,
}

impl Ward {
    pub(crate) fn of(target: Target, policy: Policy) -> Self {
        let diary = Diary::default();
        let (health, monitor) = Health::builder("target")
            .policy(policy)
            .observe(diary.clone())
            .probe(target.clone())
            .monitor();
        drop(tokio::spawn(monitor));
        Self { target, health, diary }
    }

    pub(crate) fn new(act: Act, policy: Policy) -> Self {
        Self::of(Target::new(act), policy)
    }

    /// Lets it be checked this often from now on, to the end of the last check.
    pub(crate) async fn checked(&self, times: usize) {
        for _ in 0..times {
            self.target.probed(self.target.probes() + 1).await;
            self.target.rests().await;
        }
    }
}

/// Polls a monitor by hand.
pub(crate) fn poll_once(monitor: &mut Monitor) -> bool {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    Pin::new(monitor).poll(&mut cx).is_ready()
}

/// Runs a future in paused time.
pub(crate) fn paused<F: Future>(test: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(test)
}
