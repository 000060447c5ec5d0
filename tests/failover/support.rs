use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures::future::BoxFuture;
use tokio::time::sleep;
use tower::{Service, ServiceExt};
use tower_failover::{
    BoxError,
    event::Event,
    failover::{Backend, Failover, Switch, Upkeep},
    health::{Health, Monitor, Policy},
};

/// What a site does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    /// It answers at once.
    Nothing,
    /// It answers after this time.
    Slow(Duration),
    /// No connection is made.
    Refused,
    /// It runs the call, and the connection is lost before the answer.
    Dropped,
    /// It runs the call and answers with a failure.
    Bad,
    /// It runs the call and never answers.
    Hangs,
    /// It is not ready, with an error.
    Unready,
    /// It is not ready, and does not say why.
    NeverReady,
    /// It panics when it is called.
    PanicsInCall,
    /// It panics when its answer is polled.
    PanicsInAnswer,
    /// It panics when it is asked whether it is ready.
    PanicsInReady,
}

/// A backend that does as it is told, and counts.
#[derive(Clone)]
pub(crate) struct Site(Arc<Inner>);

struct Inner {
    name: &'static str,
    fault: Mutex<Fault>,
    calls: AtomicUsize,
    applied: AtomicUsize,
    in_flight: AtomicUsize,
    instances: AtomicUsize,
}

pub(crate) const BAD: &str = "bad";

impl Site {
    pub(crate) fn new(name: &'static str) -> Self {
        Self(Arc::new(Inner {
            name,
            fault: Mutex::new(Fault::Nothing),
            calls: AtomicUsize::new(0),
            applied: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            instances: AtomicUsize::new(0),
        }))
    }

    pub(crate) fn set(&self, fault: Fault) {
        *self.0.fault.lock().unwrap() = fault;
    }

    pub(crate) fn fault(&self) -> Fault {
        *self.0.fault.lock().unwrap()
    }

    /// How often it was called.
    pub(crate) fn calls(&self) -> usize {
        self.0.calls.load(Ordering::Relaxed)
    }

    /// How often it ran what it was asked to.
    pub(crate) fn applied(&self) -> usize {
        self.0.applied.load(Ordering::Relaxed)
    }

    /// How many calls it has now.
    pub(crate) fn in_flight(&self) -> usize {
        self.0.in_flight.load(Ordering::Relaxed)
    }

    /// How many instances of its service there are.
    pub(crate) fn instances(&self) -> usize {
        self.0.instances.load(Ordering::Relaxed)
    }

    pub(crate) fn service(&self) -> SiteService {
        SiteService(Counted::new(self, |inner| &inner.instances))
    }

    pub(crate) fn backend(&self) -> Backend<SiteService> {
        Backend::new(self.0.name, self.service())
    }

    /// Its health, by a probe that is told the truth.
    pub(crate) fn health(&self, policy: Policy) -> (Health, Monitor) {
        let site = self.clone();
        let probe = move || {
            let site = site.clone();
            async move { site.answer().await.map(drop) }
        };
        Health::builder(self.0.name).policy(policy).probe(probe).monitor()
    }

    async fn answer(&self) -> Result<&'static str, BoxError> {
        let run = || self.0.applied.fetch_add(1, Ordering::Relaxed);
        match self.fault() {
            Fault::Refused => return Err(io::Error::from(io::ErrorKind::ConnectionRefused).into()),
            Fault::PanicsInAnswer => panic!("as told"),
            Fault::Slow(time) => sleep(time).await,
            Fault::Nothing
            | Fault::Dropped
            | Fault::Bad
            | Fault::Hangs
            | Fault::Unready
            | Fault::NeverReady
            | Fault::PanicsInCall
            | Fault::PanicsInReady => {}
        }
        run();
        match self.fault() {
            Fault::Dropped => Err(io::Error::from(io::ErrorKind::ConnectionReset).into()),
            Fault::Hangs => std::future::pending().await,
            Fault::Bad => Ok(BAD),
            Fault::Unready | Fault::NeverReady => Err("not ready".into()),
            Fault::Nothing
            | Fault::Slow(_)
            | Fault::Refused
            | Fault::PanicsInAnswer
            | Fault::PanicsInCall
            | Fault::PanicsInReady => Ok(self.0.name),
        }
    }
}

/// Counts up while it lives.
struct Counted {
    site: Site,
    which: fn(&Inner) -> &AtomicUsize,
}

impl Counted {
    fn new(site: &Site, which: fn(&Inner) -> &AtomicUsize) -> Self {
        which(&site.0).fetch_add(1, Ordering::Relaxed);
        Self { site: site.clone(), which }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.which)(&self.site.0).fetch_sub(1, Ordering::Relaxed);
    }
}

/// The service of a [`Site`].
pub(crate) struct SiteService(Counted);

impl Clone for SiteService {
    fn clone(&self) -> Self {
        self.0.site.service()
    }
}

impl Service<u64> for SiteService {
    type Response = &'static str;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<&'static str, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self.0.site.fault() {
            Fault::Unready => Poll::Ready(Err("not ready".into())),
            Fault::NeverReady => Poll::Pending,
            Fault::PanicsInReady => panic!("as told"),
            Fault::Nothing
            | Fault::Slow(_)
            | Fault::Refused
            | Fault::Dropped
            | Fault::Bad
            | Fault::Hangs
            | Fault::PanicsInCall
            | Fault::PanicsInAnswer => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, _: u64) -> Self::Future {
        let site = self.0.site.clone();
        site.0.calls.fetch_add(1, Ordering::Relaxed);
        assert!(site.fault() != Fault::PanicsInCall, "as told");
        let in_flight = Counted::new(&site, |inner| &inner.in_flight);
        Box::pin(async move {
            let answer = site.answer().await;
            drop(in_flight);
            answer
        })
    }
}

/// The switches that an observer is told of, as `from→to trigger`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Switch>>>);

impl Log {
    pub(crate) fn observer(&self) -> impl Fn(&Event<'_>) + Send + Sync + 'static {
        let log = self.clone();
        move |event| {
            if let Event::Switched(switch) = event {
                log.0.lock().unwrap().push((*switch).clone());
            }
        }
    }

    pub(crate) fn switches(&self) -> Vec<Switch> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.switches().iter().map(line).collect()
    }
}

pub(crate) fn line(switch: &Switch) -> String {
    let name = |name: Option<&tower_failover::event::Name>| {
        name.map_or("none".to_owned(), ToString::to_string)
    };
    format!("{}→{} {}", name(switch.from()), name(switch.to()), switch.trigger())
}

/// Has an upkeep run while the runtime does.
pub(crate) fn keep<S, R, C>((failover, upkeep): (Failover<S, R, C>, Upkeep)) -> Failover<S, R, C> {
    tokio::spawn(upkeep);
    failover
}

pub(crate) async fn call<R, C>(
    failover: &mut Failover<SiteService, R, C>,
) -> Result<&'static str, BoxError>
where
    Failover<SiteService, R, C>: Service<u64, Response = &'static str, Error = BoxError>,
{
    failover.ready().await?.call(1).await
}
