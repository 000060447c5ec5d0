//! Random histories: calls come, wait and leave while health goes up and down.

use std::{task::Poll, time::Duration};

use tokio::time::{Instant, advance};
use tokio_test::task::{self, Spawn};
use tower::{Layer, Service};
use tower_failover::health::{
    Health,
    hold::{Hold, future::ResponseFuture},
};

use super::hold;
use crate::{
    MILLISECOND,
    backend::{Backend, Work},
    fall, refusal, rise, unhealthy,
};

const LIMIT: Duration = Duration::from_millis(100);
const AT_MOST: usize = 4;
const SEEDS: u64 = 200;
const STEPS: usize = 500;

type Call = Spawn<ResponseFuture<Backend, (), <Backend as Service<()>>::Future>>;

/// What happened in all histories together.
#[derive(Debug, Default)]
struct Tally {
    in_place: usize,
    held: usize,
    refused_at_once: usize,
    served_late: usize,
    refused_late: usize,
    left: usize,
}

struct World {
    random: fastrand::Rng,
    health: Health,
    is_well: bool,
    backend: Backend,
    service: Hold<Backend>,
    held: Vec<(Call, Instant)>,
}

impl World {
    fn new(seed: u64) -> Self {
        let (health, backend) = (unhealthy(), Backend::new(Work::Succeeds));
        let service = hold(&health, LIMIT, AT_MOST).layer(backend.clone());
        let random = fastrand::Rng::with_seed(seed);
        Self { random, health, is_well: false, backend, service, held: Vec::new() }
    }

    /// Begins a call, whose health may change before it is made and before it is polled.
    fn call(&mut self, tally: &mut Tally) {
        let mut service = task::spawn(&mut self.service);
        let ready = service.enter(|cx, mut service| Service::<()>::poll_ready(&mut **service, cx));
        assert!(matches!(ready, Poll::Ready(Ok(()))));
        let mut call = task::spawn(self.service.call(()));
        match (call.poll(), self.is_well) {
            (Poll::Ready(Ok(_)), true) => tally.in_place += 1,
            (Poll::Pending, false) => {
                self.held.push((call, Instant::now()));
                tally.held += 1;
            }
            (Poll::Ready(Err(error)), false) => {
                assert!(refusal::<()>(&Err(error)).is_some());
                assert_eq!(self.held.len(), AT_MOST, "there was a place left");
                tally.refused_at_once += 1;
            }
            (poll, is_well) => panic!("{poll:?} where is_well is {is_well}"),
        }
    }

    /// Polls whoever was woken; sees to it that nobody was forgotten.
    fn settle(&mut self, tally: &mut Tally) {
        let mut n = 0;
        while n < self.held.len() {
            let (call, begun) = &mut self.held[n];
            let is_over = begun.elapsed() >= LIMIT + 2 * MILLISECOND;
            if !call.is_woken() {
                assert!(!self.is_well && !is_over, "nobody told a call that waits");
                n += 1;
                continue;
            }
            match (call.poll(), self.is_well) {
                (Poll::Ready(Ok(_)), true) => tally.served_late += 1,
                (Poll::Ready(Err(error)), false) => {
                    assert!(refusal::<()>(&Err(error)).is_some());
                    assert!(begun.elapsed() >= LIMIT, "refused after {:?}", begun.elapsed());
                    tally.refused_late += 1;
                }
                (Poll::Pending, false) => {
                    assert!(!is_over, "held for {:?}", begun.elapsed());
                    n += 1;
                    continue;
                }
                (poll, is_well) => panic!("{poll:?} where is_well is {is_well}"),
            }
            drop(self.held.swap_remove(n));
        }
    }

    async fn step(&mut self, tally: &mut Tally) {
        let touched = self.backend.polled.get();
        let was_well = self.is_well;
        match self.random.u32(..16) {
            0..8 => self.call(tally),
            8..11 => {
                if !self.held.is_empty() {
                    let leaves = self.random.usize(..self.held.len());
                    drop(self.held.swap_remove(leaves));
                    tally.left += 1;
                }
            }
            11..14 => advance(Duration::from_millis(self.random.u64(..60))).await,
            _ => {
                self.is_well = !was_well;
                if self.is_well { rise(&self.health) } else { fall(&self.health) }
            }
        }
        self.settle(tally);
        assert!(self.held.len() <= AT_MOST);
        if !was_well && !self.is_well {
            assert_eq!(self.backend.polled.get(), touched, "an unhealthy target was asked");
        }
    }

    /// Whether all places are free when nobody is there any more.
    fn end(mut self, tally: &mut Tally) {
        self.held.clear();
        if self.is_well {
            fall(&self.health);
            self.is_well = false;
        }
        for _ in 0..=AT_MOST {
            self.call(tally);
        }
        assert_eq!(self.held.len(), AT_MOST, "a place was lost");
    }
}

#[tokio::test(start_paused = true)]
async fn health_promise_4_in_every_history_calls_wait_no_longer_and_in_no_greater_number() {
    let mut tally = Tally::default();
    for seed in 0..SEEDS {
        let history = async {
            let mut world = World::new(seed);
            for _ in 0..STEPS {
                world.step(&mut tally).await;
            }
            world.end(&mut tally);
        };
        let caught = futures::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(history)).await;
        assert!(caught.is_ok(), "seed {seed}");
    }
    let Tally { in_place, held, refused_at_once, served_late, refused_late, left } = tally;
    let counts = [in_place, held, refused_at_once, served_late, refused_late, left];
    assert!(counts.iter().all(|count| *count > 500), "{tally:?}");
}
