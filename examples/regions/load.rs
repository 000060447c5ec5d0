use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use redis::{cmd, from_redis_value};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};
use tower::ServiceExt;
use tower_failover::{BoxError, failover::MayHaveRun};

use crate::Redis;

const READERS: usize = 8;
const COUNTERS: usize = 2;
const PAUSE: Duration = Duration::from_millis(2);

/// What a reader was answered, and when.
pub struct Answer {
    pub began: Instant,
    /// The same by the wall clock, as switches have it.
    pub began_at: SystemTime,
    pub ended: Instant,
    by: Result<String, BoxError>,
}

impl Answer {
    pub fn is_by(&self, is: impl Fn(&str) -> bool) -> bool {
        self.by.as_deref().is_ok_and(is)
    }

    pub fn region(self) -> String {
        self.by.unwrap_or_default()
    }
}

/// Callers that read, and looks at every answer that they get.
pub struct Readers {
    answers: UnboundedReceiver<Answer>,
    _tasks: JoinSet<()>,
    pub read: usize,
    pub failed: usize,
    pub slowest: Duration,
}

impl Readers {
    pub fn start(redis: &Redis) -> Self {
        let (sender, answers) = unbounded_channel();
        let mut tasks = JoinSet::new();
        for _ in 0..READERS {
            tasks.spawn(read_for_ever(redis.clone(), sender.clone()));
        }
        Self { answers, _tasks: tasks, read: 0, failed: 0, slowest: Duration::ZERO }
    }

    /// The first answer like this, unless there is none in time.
    pub async fn until(
        &mut self,
        deadline: Instant,
        mut is: impl FnMut(&Answer) -> bool,
    ) -> Option<Answer> {
        while let Ok(Some(answer)) = timeout_at(deadline, self.answers.recv()).await {
            self.read += 1;
            self.slowest = self.slowest.max(answer.ended - answer.began);
            if let Err(error) = &answer.by {
                self.failed += 1;
                eprintln!("a reader failed: {error}");
            }
            if is(&answer) {
                return Some(answer);
            }
        }
        None
    }

    /// How many answers like this there are within this time.
    pub async fn count(&mut self, time: Duration, is: impl Fn(&Answer) -> bool) -> usize {
        let mut count = 0;
        let all = self.until(Instant::now() + time, |answer| {
            count += usize::from(is(answer));
            false
        });
        all.await;
        count
    }

    /// Looks on for this long.
    pub async fn settle(&mut self, time: Duration) {
        self.count(time, |_| false).await;
    }
}

async fn read_for_ever(redis: Redis, answers: UnboundedSender<Answer>) {
    loop {
        let (began, began_at) = (Instant::now(), SystemTime::now());
        let by = read(redis.clone()).await;
        if answers.send(Answer { began, began_at, ended: Instant::now(), by }).is_err() {
            return;
        }
        sleep(PAUSE).await;
    }
}

async fn read(redis: Redis) -> Result<String, BoxError> {
    let answer = redis.oneshot(cmd("GET").arg("region").clone()).await?;
    Ok(from_redis_value(answer)?)
}

/// Callers that count up.
pub struct Counters {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<Told>,
}

/// What they were told.
#[derive(Default)]
pub struct Told {
    pub done: u64,
    pub may_have_run: u64,
    pub not_run: u64,
}

impl Counters {
    pub fn start(redis: &Redis) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for _ in 0..COUNTERS {
            tasks.spawn(count_until(stop.clone(), redis.clone()));
        }
        Self { stop, tasks }
    }

    pub async fn stop(self) -> Told {
        self.stop.store(true, Ordering::Relaxed);
        self.tasks.join_all().await.into_iter().fold(Told::default(), |all, one| Told {
            done: all.done + one.done,
            may_have_run: all.may_have_run + one.may_have_run,
            not_run: all.not_run + one.not_run,
        })
    }
}

async fn count_until(stop: Arc<AtomicBool>, redis: Redis) -> Told {
    let mut told = Told::default();
    while !stop.load(Ordering::Relaxed) {
        match redis.clone().oneshot(cmd("INCR").arg("counter").clone()).await {
            Ok(_) => told.done += 1,
            Err(error) if error.is::<MayHaveRun>() => told.may_have_run += 1,
            Err(_) => {
                told.not_run += 1;
                sleep(PAUSE).await;
            }
        }
    }
    told
}
