use std::{
    fmt,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::{
    FutureExt, StreamExt,
    future::{BoxFuture, CatchUnwind},
    stream::FuturesUnordered,
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{Sleep, sleep},
};

use crate::event::caught;

/// Sweeps a [`Cache`](super::Cache) and finishes the loads whose callers have left.
///
/// Ends when the last clone of that cache is dropped. Dropping it drops the loads it was at work on;
/// callers who come to wait for them start anew.
///
/// # Panics
///
/// Outside a tokio runtime with a timer.
#[must_use = "without its upkeep a cache loads nothing in the background and is not swept"]
pub struct Upkeep {
    orders: Orders,
    running: FuturesUnordered<CatchUnwind<AssertUnwindSafe<Job>>>,
    sweep: Box<dyn FnMut() -> Option<()> + Send>,
    every: Duration,
    pause: Option<Pin<Box<Sleep>>>,
}

/// Something to be done in the background.
pub(super) type Job = BoxFuture<'static, ()>;

/// Where the background work is ordered.
pub(super) struct Jobs {
    orders: UnboundedSender<Job>,
    places: Arc<AtomicUsize>,
    /// Set with the first poll: an upkeep that is only held does nothing.
    runs: Arc<AtomicBool>,
}

/// The orders, as they reach the upkeep.
pub(super) struct Orders {
    received: UnboundedReceiver<Job>,
    runs: Arc<AtomicBool>,
}

pub(super) fn jobs(most: usize) -> (Jobs, Orders) {
    let (orders, received) = unbounded_channel();
    let (places, runs) = (Arc::new(AtomicUsize::new(most)), Arc::new(AtomicBool::new(false)));
    (Jobs { orders, places, runs: runs.clone() }, Orders { received, runs })
}

impl Jobs {
    /// Whether something that is started now is likely to be done.
    pub(super) fn has_place(&self) -> bool {
        self.is_open() && self.places.load(Ordering::Relaxed) > 0
    }

    fn is_open(&self) -> bool {
        self.runs.load(Ordering::Relaxed) && !self.orders.is_closed()
    }

    /// Has this done, unless there is no place for it, or nobody to do it.
    pub(super) fn start(&self, job: Job) -> Result<(), Job> {
        if !self.is_open() {
            return Err(job);
        }
        let Some(place) = Place::take(&self.places) else {
            return Err(job);
        };
        let job = async move {
            job.await;
            drop(place);
        };
        self.orders.send(Box::pin(job)).map_err(|refused| refused.0)
    }
}

/// A place among the background loads, free again when it is dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(places: &Arc<AtomicUsize>) -> Option<Self> {
        let less = |left: usize| left.checked_sub(1);
        places.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).ok()?;
        Some(Self(places.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Upkeep {
    pub(super) fn new(
        orders: Orders,
        every: Duration,
        sweep: impl FnMut() -> Option<()> + Send + 'static,
    ) -> Self {
        let running = FuturesUnordered::new();
        Self { orders, running, sweep: Box::new(sweep), every, pause: None }
    }

    /// Ready when the cache is gone.
    fn poll_orders(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(job) = ready!(self.orders.received.poll_recv(cx)) {
            self.running.push(AssertUnwindSafe(job).catch_unwind());
        }
        Poll::Ready(())
    }

    /// Ready when the cache is gone.
    fn poll_sweep(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let every = self.every;
        loop {
            let pause = self.pause.get_or_insert_with(|| Box::pin(sleep(every)));
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
            // What a swept answer does when it is dropped does not end the sweeping.
            if let Some(None) = caught(&mut self.sweep) {
                return Poll::Ready(());
            }
        }
    }
}

impl Future for Upkeep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.orders.runs.store(true, Ordering::Relaxed);
        if self.poll_orders(cx).is_ready() {
            return Poll::Ready(());
        }
        // A load that panics has told its waiters by being dropped.
        while let Poll::Ready(Some(done)) = self.running.poll_next_unpin(cx) {
            let _ = caught(|| drop(done));
        }
        self.poll_sweep(cx)
    }
}

impl fmt::Debug for Upkeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upkeep")
            .field("running", &self.running.len())
            .field("sweep_every", &self.every)
            .finish_non_exhaustive()
    }
}
